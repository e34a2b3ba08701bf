"""Connections to the current primary. A connection is closed when its server is demoted.

redis-py has clients for Sentinel and Cluster, but they retry by themselves (a retry after a lost
reply writes twice), and they cannot share one connection (shared.redis.multiplexed). Headrace needs
only one address, because all keys of a namespace are in one slot. So each connection asks sentinels
or nodes for the address of the primary when it is opened. A reply that means "not the primary"
closes the connection.

See docs/decisions/0003-one-atomic-commit.md,
docs/decisions/0031-connections-find-the-primary.md.
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
"""Errors of a server that is not the primary.

MOVED and MASTERDOWN are covered: redis-py's errors for them are subclasses of AskError and
ClusterDownError.
"""

_REFUSAL_REASONS = {
    "OOM": "its memory is full (maxmemory)",
    "MISCONF": "it cannot write to its disk",
    "NOREPLICAS": "too few replicas follow it (min-replicas-to-write)",
}


class WriteRefusedError(ResponseError):
    """Redis answers but refuses to write, because of its memory, its disk or its replicas.

    Nothing was written. The connection is closed, because the replicas may follow a new primary.
    """


CLOSING_ERRORS = (RedisConnectionError, WriteRefusedError)
"""Errors that close a connection."""


def parse_error(text: str) -> Exception:
    """Turn the text of an error reply into the error that callers handle (`translate_error`)."""
    return translate_error(DefaultParser.parse_error(text))  # type: ignore[no-untyped-call]


def translate_error(error: Exception) -> Exception:
    """Translate an error that redis-py parsed into the error that callers handle.

    RedisConnectionError: the server is not the primary. WriteRefusedError: it refuses to write.
    Other errors are returned unchanged.
    """
    text = str(error)
    if isinstance(error, _NOT_PRIMARY_ERRORS) or "non local key" in text:
        return RedisConnectionError(f"this server is not the primary: {text}")
    code = "OOM" if isinstance(error, OutOfMemoryError) else text.partition(" ")[0]
    if isinstance(error, ResponseError) and code in _REFUSAL_REASONS:
        return WriteRefusedError(f"Redis refuses to write: {_REFUSAL_REASONS[code]}")
    return error


@dataclass(slots=True)
class Generation:
    """Counts the connections of a pool that were closed because of an error in CLOSING_ERRORS.

    Each connection that was opened when the number was lower is opened again before its next use.
    """

    number: int = 0


class _PrimaryConnection(AbstractConnection):
    """Asks for the primary's address, checks the server's role, and translates its errors.

    All connections of a pool share one `generation`.
    """

    host: str
    port: int

    def __init__(
        self, *, generation: Generation, find: FindAddress | None = None, **options: Any
    ) -> None:
        self._find = find
        self._generation = generation
        self._opened_in = generation.number
        super().__init__(**options)

    async def connect(self) -> None:
        """Open the connection if it is closed, or if the primary changed since it was opened."""
        if self._opened_in != self._generation.number:
            await self.disconnect(nowait=True)
        await super().connect()  # type: ignore[no-untyped-call]

    async def _connect(self) -> None:
        self._opened_in = self._generation.number
        if self._find is not None:
            self.host, self.port = await self._find()
        await super()._connect()  # type: ignore[no-untyped-call,safe-super]

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        """Set the connection up, then check that the server is the primary.

        Sentinels may still return the address of the former primary.
        """
        await super().on_connect_check_health(check_health)
        await self.send_command("HELLO", check_health=False)
        role = (await self.read_response())[b"role"]
        if role != b"master":
            raise RedisConnectionError(
                f"{self._host_error()} is a {role.decode()}, not the primary"
            )

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Read a reply. The errors in CLOSING_ERRORS close the connection."""
        try:
            return await super().read_response(*args, **options)
        except ResponseError as error:
            translated = translate_error(error)
            if isinstance(translated, CLOSING_ERRORS):
                self._generation.number += 1
                await self.disconnect(nowait=True)
            raise translated from None


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
    """The options of a connection pool. In a Cluster it is for the owner of `slot_key`."""
    options = dict(target.options)
    kind = _CLASSES[options.pop("connection_class", None)]
    common = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
        "legacy_responses": False,
        "decode_responses": False,
        "protocol": 3,
        "driver_info": None,  # no CLIENT SETINFO: Redis users would need the permission for it
    }
    options |= common | {"generation": Generation()}
    if target.kind == "sentinel":
        for_sentinels = {**target.sentinel_options, **common, "ssl": kind is _Tls}
        options["find"] = _ask_sentinels(target, _with_short_timeouts(for_sentinels, timeout))
    elif target.kind == "cluster":
        if not slot_key:
            raise ValueError("a connection to a Cluster needs a slot_key")
        not_for_nodes = ("db", "generation")
        for_nodes = {k: v for k, v in options.items() if k not in not_for_nodes}
        for_nodes["ssl"] = kind is _Tls
        options["find"] = _ask_nodes(
            target, key_slot(slot_key.encode()), _with_short_timeouts(for_nodes, timeout)
        )
    return {"connection_class": kind, **options}


def _with_short_timeouts(options: dict[str, Any], timeout: float) -> dict[str, Any]:
    """Options with a quarter of the timeout, so that a dead server leaves time for the next one."""
    return options | {"socket_timeout": timeout / 4, "socket_connect_timeout": timeout / 4}


def _ask_sentinels(target: RedisTarget, options: dict[str, Any]) -> FindAddress:
    async def find() -> Address:
        client = Sentinel(target.seeds, sentinel_kwargs=options)  # type: ignore[no-untyped-call]
        async with client as sentinels:
            try:
                host, port = await sentinels.discover_master(target.primary)
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
            errors.append(f"{host}:{port} does not know the owner of slot {slot}")
        raise RedisConnectionError(f"no primary found in the Cluster: {'; '.join(errors)}")

    return find


def _address(node: list[Any], asked_host: str) -> Address:
    """The address in a row of CLUSTER SLOTS. An empty host means the node that was asked."""
    return (node[0] or b"").decode() or asked_host, int(node[1])
