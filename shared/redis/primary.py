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

FindAddress = Callable[[], Awaitable[Address]]

_NOT_PRIMARY_ERRORS = (AskError, ClusterDownError, ReadOnlyError, TryAgainError)
"""MOVED is one of the first, MASTERDOWN of the second."""

_REFUSAL_REASONS = {
    "OOM": "its memory is full (maxmemory)",
    "MISCONF": "it cannot write to its disk",
    "NOREPLICAS": "too few replicas follow it (min-replicas-to-write)",
}


class WriteRefusedError(ResponseError):
    """Redis is there and does not write: memory, disk or replicas. It has written nothing.

    The connection ends with it, since another may be the master by now that the replicas follow.
    """


CLOSING_ERRORS = (RedisConnectionError, WriteRefusedError)
"""What ends a connection."""


def parse_error(text: str) -> Exception:
    """What an error in Redis' words means to a caller; RedisConnectionError: not here."""
    return translate_error(DefaultParser.parse_error(text))  # type: ignore[no-untyped-call]


def translate_error(error: Exception) -> Exception:
    """The error that callers handle, for an error that redis-py parsed."""
    text = str(error)
    if isinstance(error, _NOT_PRIMARY_ERRORS) or "non local key" in text:
        return RedisConnectionError(f"Redis is not the primary here: {text}")
    code = "OOM" if isinstance(error, OutOfMemoryError) else text.partition(" ")[0]
    if isinstance(error, ResponseError) and code in _REFUSAL_REASONS:
        return WriteRefusedError(f"Redis refuses to write: {_REFUSAL_REASONS[code]}")
    return error


@dataclass(slots=True)
class Generation:
    """Counts the masters that the connections of a pool were sent away from."""

    number: int = 0


class _PrimaryConnection(AbstractConnection):
    """Asks for the address, is sure of the role, and reads errors as `parse_error` does."""

    host: str
    port: int

    def __init__(
        self, *, generation: Generation, find: FindAddress | None = None, **options: Any
    ) -> None:
        self._find = find
        self._generation = generation
        self._number = generation.number
        super().__init__(**options)

    async def connect(self) -> None:
        """Unless it is open; one to a master that another connection was sent away from is not."""
        if self._number != self._generation.number:
            await self.disconnect(nowait=True)
        await super().connect()  # type: ignore[no-untyped-call]

    async def _connect(self) -> None:
        self._number = self._generation.number
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
            meaning = translate_error(error)
            if isinstance(meaning, CLOSING_ERRORS):
                self._generation.number += 1
                await self.disconnect(nowait=True)
            raise meaning from None


class _Tcp(_PrimaryConnection, Connection):
    pass


class _Tls(_PrimaryConnection, SSLConnection):
    pass


class _Unix(_PrimaryConnection, UnixDomainSocketConnection):
    pass


_CLASSES: dict[type | None, type[AbstractConnection]] = {
    None: _Tcp,
    SSLConnection: _Tls,
    UnixDomainSocketConnection: _Unix,
}


def connection_options(target: RedisTarget, slot_key: str, timeout: float) -> dict[str, Any]:
    """The options of a connection pool. In a Cluster it connects to the owner of `slot_key`."""
    options = dict(target.options)
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
    options |= quick | {"generation": Generation()}
    if target.kind == "sentinel":
        asked = {**target.sentinel_options, **quick, "ssl": kind is _Tls}
        options["find"] = _ask_sentinels(target, _with_short_timeouts(asked, timeout))
    elif target.kind == "cluster":
        if not slot_key:
            raise ValueError("in a Cluster a connection needs a key to be near to")
        own = ("db", "generation")
        asked = {k: v for k, v in options.items() if k not in own} | {"ssl": kind is _Tls}
        options["find"] = _ask_nodes(
            target, key_slot(slot_key.encode()), _with_short_timeouts(asked, timeout)
        )
    return {"connection_class": kind, **options}


def _with_short_timeouts(options: dict[str, Any], timeout: float) -> dict[str, Any]:
    """One of several that may be dead is not waited for as long as the master itself."""
    return options | {"socket_timeout": timeout / 4, "socket_connect_timeout": timeout / 4}


def _ask_sentinels(target: RedisTarget, options: dict[str, Any]) -> FindAddress:
    async def find() -> Address:
        known = Sentinel(target.seeds, sentinel_kwargs=options)  # type: ignore[no-untyped-call]
        async with known as sentinels:
            try:
                host, port = await sentinels.discover_master(target.master)
            except MasterNotFoundError as error:
                raise RedisConnectionError(str(error)) from None
        return host, port

    return find


def _ask_nodes(target: RedisTarget, slot: int, options: dict[str, Any]) -> FindAddress:
    learned: list[Address] = []

    async def find() -> Address:
        errors = []
        for host, port in dict.fromkeys((*target.seeds, *learned)):
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
