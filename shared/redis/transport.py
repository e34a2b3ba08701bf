"""A connection that redis-py opened and greeted, its socket handed to a protocol of ours.

This is the one place that reaches into redis-py: its connection has no public name for the
transport. Whatever URL, TLS, password, sentinel or node led there, redis-py has seen to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from redis.asyncio import ConnectionPool


class TransportProtocol(asyncio.Protocol):
    """A protocol that can take such a connection over."""

    writer: asyncio.StreamWriter
    """It hangs up when nobody holds it any more."""


P = TypeVar("P", bound=TransportProtocol)


async def take_transport(pool: ConnectionPool, make: Callable[[], P]) -> P:
    """Open a connection as the pool does, and let a new protocol have its transport.

    Raises redis-py's ConnectionError and TimeoutError. Nothing has been read ahead: the greeting
    is over when all its answers are here.
    """
    connection: Any = pool.make_connection()  # type: ignore[no-untyped-call]
    await connection.connect()
    protocol = make()
    protocol.writer = connection._writer
    connection._reader = connection._writer = None  # it is ours to close
    transport = protocol.writer.transport
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    return protocol
