"""One connection to Redis that many callers share, for thousands of small calls a second.

All commands of one iteration of the event loop are sent in one write. redis-py takes a connection
from its pool for each call and passes each reply through a dozen coroutines: about 150 µs of CPU
time for a call. A call through this module needs a tenth of this time. Only the transport is ours:
redis-py still builds the commands and converts the replies. MULTI, WATCH, pub/sub and blocking
commands use the pool.

See docs/decisions/0019-one-multiplexed-connection.md.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import hiredis
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.redis.errors import CLOSING_ERRORS, parse_error
from shared.redis.packing import pack_command
from shared.redis.transport import TransportProtocol, take_transport

Command = Sequence[Any]

_NOTHING = object()
_INTERNAL = ("keys", "NEVER_DECODE", "EMPTY_RESPONSE")
"""Options of redis-py's commands that the callbacks for replies do not accept."""


@dataclass(slots=True)
class _PendingBatch:
    """Commands that were sent together, the replies so far, and the future of the caller."""

    count: int
    at: float
    waiting: asyncio.Future[list[Any]]
    replies: list[Any] = field(default_factory=list)


class _ReplyProtocol(TransportProtocol):
    """The asyncio protocol of one connection: matches replies to commands by their order."""

    def __init__(self, timeout: float) -> None:
        self.lost = False
        self._transport: asyncio.Transport
        self._reader = hiredis.Reader(replyError=parse_error, notEnoughData=_NOTHING)
        self._pending: deque[_PendingBatch] = deque()
        self._unsent: list[bytes] = []
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._watch = self._loop.call_later(timeout / 8, self._check)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, because uvloop's class does not derive from asyncio.Transport.
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, packed: bytes, count: int) -> asyncio.Future[list[Any]]:
        waiting: asyncio.Future[list[Any]] = self._loop.create_future()
        self._pending.append(_PendingBatch(count, self._loop.time(), waiting))
        if not self._unsent:
            self._loop.call_soon(self._send)
        self._unsent.append(packed)
        return waiting

    def _send(self) -> None:
        if self._transport.is_closing():  # perhaps since before it was taken from redis-py
            self.end(RedisConnectionError("the connection to Redis was lost: closed"))
            return
        self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not _NOTHING:
                self._take(reply)
        except hiredis.ProtocolError as error:
            self.end(
                RedisConnectionError(f"the server does not speak the protocol of Redis: {error}")
            )

    def _take(self, reply: Any) -> None:
        if isinstance(reply, hiredis.PushNotification) or not self._pending:
            return
        first = self._pending[0]
        first.replies.append(reply)
        if isinstance(reply, CLOSING_ERRORS):
            self.lost = True  # the server may be demoted: later calls need a new connection
        if len(first.replies) == first.count:
            self._pending.popleft()
            if not first.waiting.done():
                first.waiting.set_result(first.replies)
        if self.lost and not self._pending:
            self.end(RedisConnectionError("this server is no longer the primary"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(RedisConnectionError(f"the connection to Redis was lost: {exc or 'closed'}"))

    def _check(self) -> None:
        now = self._loop.time()
        if self._pending and now - self._pending[0].at > self._timeout:
            self.end(RedisTimeoutError(f"Redis did not answer within {self._timeout} s"))
        else:
            self._watch = self._loop.call_later(self._timeout / 8, self._check)

    def end(self, error: Exception) -> None:
        """Close the connection. Waiting callers get the error."""
        self.lost = True
        self._watch.cancel()
        self._transport.abort()
        while self._pending:
            waiting = self._pending.popleft().waiting
            if not waiting.done():
                waiting.set_exception(error)


class MultiplexedConnection:
    """Opens the shared connection when it is needed. Does not retry (see shared.redis.client)."""

    def __init__(self, pool: ConnectionPool, timeout: float) -> None:
        self._pool = pool
        self._timeout = timeout
        self._protocol: _ReplyProtocol | None = None
        self._opening = asyncio.Lock()

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands and return the raw replies.

        An error reply is returned in the list, not raised.

        Raises redis-py's ConnectionError and TimeoutError.
        """
        packed = b"".join(map(pack_command, commands))
        protocol = self._protocol
        if protocol is None or protocol.lost:
            protocol = await self._open()
        return await protocol.ask(packed, len(commands))

    async def _open(self) -> _ReplyProtocol:
        async with self._opening:
            if self._protocol is None or self._protocol.lost:
                self._protocol = await take_transport(
                    self._pool, lambda: _ReplyProtocol(self._timeout)
                )
            return self._protocol

    def close(self) -> None:
        """Close the connection if it is open."""
        if self._protocol is not None:
            self._protocol.end(RedisConnectionError("the client was closed"))


class MultiplexedRedis(Redis):
    """redis-py's client on one shared connection. A call fails after `timeout` seconds."""

    def __init__(self, pool: ConnectionPool, timeout: float) -> None:
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True
        self._multiplexed = MultiplexedConnection(pool, timeout)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Execute a command on the shared connection."""
        (reply,) = await self._multiplexed.ask([args])
        return _parse_reply(self.response_callbacks, args, options, reply)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Any:
        """A pipeline on the shared connection. A transaction uses the pool."""
        if transaction:
            return super().pipeline(transaction, shard_hint)
        return _MultiplexedPipeline(
            self._multiplexed, self.connection_pool, self.response_callbacks
        )

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the shared connection and the pool."""
        self._multiplexed.close()
        await super().aclose(close_connection_pool)


class _MultiplexedPipeline(Pipeline):
    def __init__(
        self, connection: MultiplexedConnection, pool: ConnectionPool, callbacks: Any
    ) -> None:
        super().__init__(pool, callbacks, False, None)
        self._multiplexed = connection

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        stack, self.command_stack = self.command_stack, []
        if not stack:
            return []
        replies = await self._multiplexed.ask([args for args, _ in stack])
        return [
            reply
            if isinstance(reply, Exception) and not raise_on_error
            else _parse_reply(self.response_callbacks, args, options, reply)
            for (args, options), reply in zip(stack, replies, strict=True)
        ]


def _parse_reply(
    callbacks: Mapping[Any, Any], args: Command, options: Mapping[str, Any], reply: Any
) -> Any:
    """Convert a raw reply as redis-py does. If the reply is an error, raise it."""
    if isinstance(reply, Exception):
        raise reply
    if (callback := callbacks.get(args[0])) is None:
        return reply
    if not options:
        return callback(reply)
    return callback(reply, **{k: v for k, v in options.items() if k not in _INTERNAL})
