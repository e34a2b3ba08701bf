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
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from shared.redis.errors import CLOSING_ERRORS, translate_error
from shared.redis.packing import pack_command
from shared.redis.url import Address, RedisTarget

FindAddress = Callable[[], Awaitable[Address]]


@dataclass(slots=True)
class Generation:
    """Counts the connections of a pool that were closed because of an error in CLOSING_ERRORS.

    Each connection that was opened when the number was lower is opened again before its next use.
    """

    number: int = 0


class PrimaryConnection(AbstractConnection):
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
        """Set the connection up, then check the server's role."""
        await super().on_connect_check_health(check_health)
        await self.check_role()

    async def check_role(self) -> None:
        """Raise RedisConnectionError unless the server is the primary.

        Sentinels may still return the address of the former primary.
        """
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

    def pack_command(self, *args: Any) -> list[bytes]:
        """Write a command in the protocol of Redis."""
        return [pack_command(args)]


class Tcp(PrimaryConnection, Connection):
    """Without TLS."""


class Tls(PrimaryConnection, SSLConnection):
    """With TLS."""


class Unix(PrimaryConnection, UnixDomainSocketConnection):
    """Through a socket on this machine."""


_CLASSES: dict[type | None, type[AbstractConnection]] = {
    None: Tcp,
    SSLConnection: Tls,
    UnixDomainSocketConnection: Unix,
}


def connection_options(target: RedisTarget, slot_key: str, timeout: float) -> dict[str, Any]:
    """The options of a connection pool. In a Cluster it is for the owner of `slot_key`."""
    options = dict(target.options)
    kind = _CLASSES[options.pop("connection_class", None)]
    options |= _common_options(timeout) | {"generation": Generation()}
    if target.kind == "sentinel":
        options["find"] = _ask_sentinels(target, timeout)
    elif target.kind == "cluster":
        if not slot_key:
            raise ValueError("a connection to a Cluster needs a slot_key")
        not_for_nodes = ("db", "generation")
        for_nodes = {k: v for k, v in options.items() if k not in not_for_nodes}
        for_nodes["ssl"] = kind is Tls
        options["find"] = _ask_nodes(
            target, key_slot(slot_key.encode()), _with_short_timeouts(for_nodes, timeout)
        )
    return {"connection_class": kind, **options}


def _common_options(timeout: float) -> dict[str, Any]:
    return {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
        "legacy_responses": False,
        "decode_responses": False,
        "protocol": 3,
        "driver_info": None,  # no CLIENT SETINFO: Redis users would need the permission for it
    }


def _with_short_timeouts(options: dict[str, Any], timeout: float) -> dict[str, Any]:
    """Options with a quarter of the timeout, so that a dead server leaves time for the next one."""
    return options | {"socket_timeout": timeout / 4, "socket_connect_timeout": timeout / 4}


def sentinels_of(target: RedisTarget, timeout: float) -> Sentinel:
    """A client of the Sentinels."""
    tls = target.options.get("connection_class") is SSLConnection
    options = {**target.sentinel_options, **_common_options(timeout), "ssl": tls}
    short = _with_short_timeouts(options, timeout)
    return Sentinel(target.seeds, sentinel_kwargs=short)  # type: ignore[no-untyped-call]


def _ask_sentinels(target: RedisTarget, timeout: float) -> FindAddress:
    async def find() -> Address:
        async with sentinels_of(target, timeout) as sentinels:
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
