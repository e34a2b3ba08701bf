"""Connections to one replica of Redis, which is chosen among several.

All connections of a client use the same server, because replicas are behind the primary by
different amounts. A server that does not answer is left for another one. The caller checks whether
the server follows the primary, and leaves it if it does not (`ServerChoice.leave`).

See docs/decisions/0102-fanouts-read-from-replicas.md.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import structlog
from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.redis.pool import LivePool
from shared.redis.primary import (
    Generation,
    PrimaryConnection,
    Tcp,
    Tls,
    connection_options,
    sentinels_of,
)
from shared.redis.url import Address, RedisTarget, parse_feed_url

log = structlog.get_logger()

_AVOID_SECONDS = 60.0
"""For this time, a server that was left is tried only after the others."""

LookUp = Callable[[], Awaitable[list[Address]]]
Rate = Callable[[Address], Awaitable[int | None]]

FOLLOWS, PRIMARY, CUT_OFF = range(3)
"""The best kind of server first: a replica, the primary, a replica without its primary."""


class ServerChoice:
    """The server that all connections of a client use.

    `look_up` finds the servers. `rate` says which kind a server is, None if it does not answer.
    """

    def __init__(self, look_up: LookUp, rate: Rate) -> None:
        self.current: Address | None = None
        self.generation = Generation()
        self._look_up = look_up
        self._rate = rate
        self._left: dict[Address, float] = {}
        self._choosing = asyncio.Lock()

    async def find(self) -> Address:
        """The current server. Without one, choose one. Raises redis-py's ConnectionError."""
        async with self._choosing:
            if self.current is None:
                self.current = await self._choose()
                log.info("replica_chosen", server=self.name)
            return self.current

    def leave(self, address: Address | None) -> None:
        """Choose another server for the next connection, if this is the current one.

        If no other server is better, the same one is chosen again. All connections are opened
        again before their next use.
        """
        if address is None or address != self.current:
            return
        log.warning("replica_left", server=self.name)
        self._left[address] = time.monotonic()
        self.current = None
        self.generation.number += 1

    @property
    def name(self) -> str:
        """Host and port of the current server, or an empty text."""
        return "{}:{}".format(*self.current) if self.current else ""

    async def _choose(self) -> Address:
        """The first replica that follows its primary, in random order; else the best server."""
        servers = await self._look_up()
        random.shuffle(servers)
        recently = time.monotonic() - _AVOID_SECONDS
        servers.sort(key=lambda address: self._left.get(address, 0.0) > recently)
        usable: list[tuple[int, int, Address]] = []
        for address in servers:
            kind = await self._rate(address)
            if kind == FOLLOWS:
                return address
            if kind is None:
                self._left[address] = time.monotonic()
            else:
                usable.append((kind, len(usable), address))
        if not usable:
            raise RedisConnectionError(f"none of {len(servers)} servers of FEED_REDIS_URL answers")
        return min(usable)[2]


class _ReplicaConnection(PrimaryConnection):
    """Accepts a server of any role. If the server fails, `choice` leaves it."""

    def __init__(self, *, choice: ServerChoice | None = None, **options: Any) -> None:
        self._choice = choice
        super().__init__(**options)

    async def connect(self) -> None:
        """Open the connection if it is closed."""
        try:
            await super().connect()
        except (RedisConnectionError, RedisTimeoutError):
            self._leave()
            raise

    async def check_role(self) -> None:
        """A replica and the primary are both accepted."""

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Read a reply. A server that does not answer, or that has no data yet, is left."""
        try:
            return await super().read_response(*args, **options)
        except (RedisConnectionError, RedisTimeoutError):
            self._leave()
            raise

    def _leave(self) -> None:
        if self._choice is not None and hasattr(self, "port"):
            self._choice.leave((self.host, self.port))


class _ReplicaTcp(_ReplicaConnection, Tcp):
    pass


class _ReplicaTls(_ReplicaConnection, Tls):
    """The certificate must have the name in the URL, not the address to which it resolved."""

    def __init__(self, *, names: dict[Address, str], **options: Any) -> None:
        self._names = names
        super().__init__(**options)

    def _connection_arguments(self) -> Mapping[str, Any]:
        name = self._names.get((self.host, self.port))
        own = {"server_hostname": name} if name else {}
        return {**super()._connection_arguments(), **own}


_CLASSES = {Tcp: _ReplicaTcp, Tls: _ReplicaTls}


def connect_to_replica(url: str, *, timeout: float = 3.0) -> tuple[Redis, ServerChoice]:
    """A client for reads, like `shared.redis.client.connect`, and the choice of its server.

    shared.redis.url describes `url`. A host name may have several addresses; each is one server.
    With Sentinels, the servers are the replicas, or the primary if there is no replica.
    """
    target = parse_feed_url(url)
    options = connection_options(replace(target, kind="one"), "", timeout)
    del options["generation"]
    names: dict[Address, str] = {}
    kind = options.pop("connection_class")
    options |= {"connection_class": _CLASSES[kind]} | ({"names": names} if kind is Tls else {})
    if target.kind == "sentinel":
        look_up = _ask_sentinels(target, timeout)
    else:
        look_up = _resolve(target.seeds, names)
    choice = ServerChoice(look_up, _rate(options, timeout))
    own = {"choice": choice, "find": choice.find, "generation": choice.generation}
    return Redis.from_pool(LivePool(timeout=timeout, **options, **own)), choice


def check_feed_url(url: str) -> None:
    """Raise ValueError for a FEED_REDIS_URL that cannot be used."""
    options = connection_options(replace(parse_feed_url(url), kind="one"), "", 1.0)
    try:
        options.pop("connection_class")(**options)
    except TypeError as error:
        raise ValueError(f"redis-py does not know an option of this URL: {error}") from None


def _resolve(seeds: tuple[Address, ...], names: dict[Address, str]) -> LookUp:
    """Resolve the host names each time, because the addresses of a name can change."""

    async def look_up() -> list[Address]:
        loop = asyncio.get_running_loop()
        found: list[Address] = []
        for host, port in seeds:
            with suppress(OSError):
                rows = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                addresses = [(str(row[4][0]), port) for row in rows]
                names.update(dict.fromkeys(addresses, host))
                found += addresses
        return list(dict.fromkeys(found))

    return look_up


def _ask_sentinels(target: RedisTarget, timeout: float) -> LookUp:
    async def look_up() -> list[Address]:
        async with sentinels_of(target, timeout) as sentinels:
            found = await sentinels.discover_slaves(target.primary)
            with suppress(RedisConnectionError):  # no primary is known, or it is down
                found = [*found] or [await sentinels.discover_master(target.primary)]
        return [(str(host), int(port)) for host, port in found]

    return look_up


def _rate(options: dict[str, Any], timeout: float) -> Rate:
    short = options | {"socket_timeout": timeout / 4, "socket_connect_timeout": timeout / 4}

    async def rate(address: Address) -> int | None:
        async def find() -> Address:
            return address

        pool = ConnectionPool(**short, find=find, generation=Generation())
        async with Redis.from_pool(pool) as client:
            try:
                info = await client.info("replication")
            except (RedisError, OSError):
                return None
        if info.get("role") == "master":
            return PRIMARY
        return FOLLOWS if info.get("master_link_status") == "up" else CUT_OFF

    return rate
