"""Takes the transport of a connection that redis-py has opened, for our own asyncio protocol.

redis-py handles the URL, TLS, the password, Sentinel and Cluster. This module uses private
attributes of redis-py, because its connection has no public attribute for the transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from redis.asyncio import ConnectionPool


class TransportProtocol(asyncio.Protocol):
    """Base class of protocols that take over a connection of redis-py."""

    writer: asyncio.StreamWriter
    """Keeps the writer alive: when Python deletes the writer, the connection is closed."""


P = TypeVar("P", bound=TransportProtocol)


async def take_transport(pool: ConnectionPool, make: Callable[[], P]) -> P:
    """Open a connection with the options of the pool, and give its transport to a new protocol.

    Raises redis-py's ConnectionError and TimeoutError. No data is lost when the protocol changes:
    Redis sends nothing after its replies to the commands of the connection set-up, and all these
    replies have been read.
    """
    connection: Any = pool.make_connection()  # type: ignore[no-untyped-call]
    try:
        await connection.connect()
    except BaseException:  # redis-py leaves it open if this task is cancelled
        await connection.disconnect(nowait=True)
        raise
    protocol = make()
    protocol.writer = connection._writer
    connection._reader = connection._writer = None  # so that redis-py does not close the transport
    transport = protocol.writer.transport
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    return protocol
