"""Connections that lead to the master of the moment, and that end when it is the master no more.

redis-py's own clients for Sentinel and Cluster are two more kinds of client, which retry by
themselves (a lost answer and a retry write twice) and know no lane. All that Headrace needs of
either is one address: all keys of a namespace are in one slot (docs/decisions.md 3), so each
connection asks for it when it is opened, and a refusal that means "not here" ends it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    DefaultParser,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from shared.redis.url import Address, RedisTarget

Find = Callable[[], Awaitable[Address]]

_ELSEWHERE = (AskError, ClusterDownError, ReadOnlyError, TryAgainError)
"""MOVED is one of the first, MASTERDOWN of the second."""

_UNWILLING = {
    "OOM": "its memory is full (maxmemory)",
    "MISCONF": "it cannot write to its disk",
    "NOREPLICAS": "too few replicas follow it (min-replicas-to-write)",
}


class WriteRefusedError(ResponseError):
    """Redis is there and does not write: memory, disk or replicas. It has written nothing.

    The connection ends with it, since another may be the master by now that the replicas follow.
    """


ENDING = (RedisConnectionError, WriteRefusedError)
"""What ends a connection."""


def read_error(text: str) -> Exception:
    """What an error in Redis' words means to a caller; RedisConnectionError: not here."""
    return _told(DefaultParser.parse_error(text))  # type: ignore[no-untyped-call]


def _told(error: Exception) -> Exception:
    said = str(error)
    if isinstance(error, _ELSEWHERE) or "non local key" in said:
        return RedisConnectionError(f"Redis is no master for us here any more: {said}")
    code = "OOM" if isinstance(error, OutOfMemoryError) else said.partition(" ")[0]
    if isinstance(error, ResponseError) and code in _UNWILLING:
        return WriteRefusedError(f"Redis refuses to write: {_UNWILLING[code]}")
    return error


@dataclass(slots=True)
class Generation:
    """Counts the masters that the connections of a pool were sent away from."""

    number: int = 0


class _Mastered(AbstractConnection):
    """Asks for the address, is sure of the role, and reads errors as `read_error` does."""

    host: str
    port: int

    def __init__(self, *, reign: Generation, find: Find | None = None, **options: Any) -> None:
        self._find = find
        self._reign = reign
        self._number = reign.number
        super().__init__(**options)

    async def connect(self) -> None:
        """Unless it is open; one to a master that another connection was sent away from is not."""
        if self._number != self._reign.number:
            await self.disconnect(nowait=True)
        await super().connect()  # type: ignore[no-untyped-call]

    async def _connect(self) -> None:
        self._number = self._reign.number
        if self._find is not None:
            self.host, self.port = await self._find()
        await super()._connect()  # type: ignore[no-untyped-call,safe-super]

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        """Greet as ever, then see that it is the master who answers: a sentinel may be late."""
        await super().on_connect_check_health(check_health)
        await self.send_command("HELLO", check_health=False)
        role = (await self.read_response())[b"role"]
        if role != b"master":
            raise RedisConnectionError(f"{self._host_error()} is a {role.decode()}, no master")

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """The answer; an error that may send us elsewhere ends the connection."""
        try:
            return await super().read_response(*args, **options)
        except ResponseError as error:
            meaning = _told(error)
            if isinstance(meaning, ENDING):
                self._reign.number += 1
                await self.disconnect(nowait=True)
            raise meaning from None


class _Tcp(_Mastered, Connection):
    pass


class _Tls(_Mastered, SSLConnection):
    pass


class _Unix(_Mastered, UnixDomainSocketConnection):
    pass


_CLASSES: dict[type | None, type[AbstractConnection]] = {
    None: _Tcp,
    SSLConnection: _Tls,
    UnixDomainSocketConnection: _Unix,
}


def connection_options(place: RedisTarget, slot_key: str, timeout: float) -> dict[str, Any]:
    """The options of a connection pool. In a Cluster it connects to the owner of `slot_key`."""
    options = dict(place.options)
    kind = _CLASSES[options.pop("connection_class", None)]
    quick = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
        "legacy_responses": False,
        "decode_responses": False,
        "protocol": 3,
        "driver_info": None,  # CLIENT SETINFO, twice a connection, that a user would need rights to
    }
    options |= quick | {"reign": Generation()}
    if place.kind == "sentinel":
        asked = {**place.sentinel_options, **quick, "ssl": kind is _Tls}
        options["find"] = _by_sentinels(place, _hurried(asked, timeout))
    elif place.kind == "cluster":
        if not slot_key:
            raise ValueError("in a Cluster a connection needs a key to be near to")
        own = ("db", "reign")
        asked = {k: v for k, v in options.items() if k not in own} | {"ssl": kind is _Tls}
        options["find"] = _by_nodes(place, key_slot(slot_key.encode()), _hurried(asked, timeout))
    return {"connection_class": kind, **options}


def _hurried(options: dict[str, Any], timeout: float) -> dict[str, Any]:
    """One of several that may be dead is not waited for as long as the master itself."""
    return options | {"socket_timeout": timeout / 4, "socket_connect_timeout": timeout / 4}


def _by_sentinels(place: RedisTarget, options: dict[str, Any]) -> Find:
    async def find() -> Address:
        known = Sentinel(place.seeds, sentinel_kwargs=options)  # type: ignore[no-untyped-call]
        async with known as sentinels:
            try:
                host, port = await sentinels.discover_master(place.master)
            except MasterNotFoundError as error:
                raise RedisConnectionError(str(error)) from None
        return host, port

    return find


def _by_nodes(place: RedisTarget, slot: int, options: dict[str, Any]) -> Find:
    learned: list[Address] = []

    async def find() -> Address:
        errors = []
        for host, port in dict.fromkeys((*place.seeds, *learned)):
            async with Redis(host=host, port=port, **options) as node:
                try:
                    rows = await node.execute_command("CLUSTER SLOTS")  # type: ignore[no-untyped-call]
                except (RedisError, OSError) as error:
                    errors.append(f"{host}:{port}: {error}")
                    continue
            learned[:] = [_address(each, host) for row in rows for each in row[2:]]
            if owner := next((row[2] for row in rows if row[0] <= slot <= row[1]), None):
                return _address(owner, host)
            errors.append(f"{host}:{port} knows no owner of slot {slot}")
        raise RedisConnectionError(f"no master in the Cluster: {'; '.join(errors)}")

    return find


def _address(node: list[Any], asked: str) -> Address:
    """Of CLUSTER SLOTS: an empty host is that of the node which was asked."""
    return (node[0] or b"").decode() or asked, int(node[1])
