"""One connection to Redis for many callers: what they ask in one turn of the loop is one write.

redis-py takes a connection from its pool for each call and passes each answer through a dozen
coroutines, about 150 µs of CPU a call; this is a tenth of it, for services that ask thousands of
small questions a second (docs/decisions.md 19). Everything that redis-py knows of commands stays:
only the way there and back is another. MULTI, WATCH, pub/sub and blocking commands go by the pool.
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

from shared.redis.primary import CLOSING_ERRORS, parse_error
from shared.redis.transport import TransportProtocol, take_transport

Command = Sequence[Any]

_NOTHING = object()
_INTERNAL = ("keys", "NEVER_DECODE", "EMPTY_RESPONSE")
"""Options that redis-py's commands pass to themselves."""


@dataclass(slots=True)
class _PendingBatch:
    """Commands sent together, their answers so far, and who waits for them."""

    count: int
    at: float
    waiting: asyncio.Future[list[Any]]
    answers: list[Any] = field(default_factory=list)


class _ReplyProtocol(TransportProtocol):
    """One connection, from its opening until it is lost."""

    def __init__(self, timeout: float) -> None:
        self.lost = False
        self._transport: asyncio.Transport
        self._reader = hiredis.Reader(replyError=parse_error, notEnoughData=_NOTHING)
        self._asked: deque[_PendingBatch] = deque()
        self._unsent: list[bytes] = []
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._watch = self._loop.call_later(timeout / 8, self._check)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

    def ask(self, packed: bytes, count: int) -> asyncio.Future[list[Any]]:
        waiting: asyncio.Future[list[Any]] = self._loop.create_future()
        self._asked.append(_PendingBatch(count, self._loop.time(), waiting))
        if not self._unsent:
            self._loop.call_soon(self._send)
        self._unsent.append(packed)
        return waiting

    def _send(self) -> None:
        self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (answer := self._reader.gets()) is not _NOTHING:
                self._take(answer)
        except hiredis.ProtocolError as error:
            self.end(RedisConnectionError(f"not the protocol of Redis: {error}"))

    def _take(self, answer: Any) -> None:
        if isinstance(answer, hiredis.PushNotification) or not self._asked:
            return
        first = self._asked[0]
        first.answers.append(answer)
        if isinstance(answer, CLOSING_ERRORS):  # no master any more, perhaps: look for the new one
            self.lost = True
        if len(first.answers) == first.count:
            self._asked.popleft()
            if not first.waiting.done():
                first.waiting.set_result(first.answers)
        if self.lost and not self._asked:
            self.end(RedisConnectionError("this server is the master no more"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(RedisConnectionError(f"the connection to Redis was lost: {exc or 'closed'}"))

    def _check(self) -> None:
        now = self._loop.time()
        if self._asked and now - self._asked[0].at > self._timeout:
            self.end(RedisTimeoutError(f"Redis did not answer within {self._timeout} s"))
        else:
            self._watch = self._loop.call_later(self._timeout / 8, self._check)

    def end(self, error: Exception) -> None:
        """Close; whoever waits is told why."""
        self.lost = True
        self._watch.cancel()
        self._transport.abort()
        while self._asked:
            waiting = self._asked.popleft().waiting
            if not waiting.done():
                waiting.set_exception(error)


class MultiplexedConnection:
    """The connection, opened when it is needed. No retries: see shared.redis.client."""

    def __init__(self, pool: ConnectionPool, timeout: float) -> None:
        self._pool = pool
        self._timeout = timeout
        self._link: _ReplyProtocol | None = None
        self._opening = asyncio.Lock()

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """The raw answers, errors among them. Raises redis-py's ConnectionError, TimeoutError."""
        packed = b"".join(map(_packed, commands))
        link = self._link
        if link is None or link.lost:
            link = await self._open()
        return await link.ask(packed, len(commands))

    async def _open(self) -> _ReplyProtocol:
        async with self._opening:
            if self._link is None or self._link.lost:
                self._link = await take_transport(self._pool, lambda: _ReplyProtocol(self._timeout))
            return self._link

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._link is not None:
            self._link.end(RedisConnectionError("closed by us"))


def _packed(command: Command) -> bytes:
    name, *rest = command
    if " " in name:  # redis-py names some commands by two words
        return cast(bytes, hiredis.pack_command((*name.split(), *rest)))
    return cast(bytes, hiredis.pack_command(tuple(command)))


class MultiplexedRedis(Redis):
    """redis-py's client on a lane; an answer that takes longer than `timeout` seconds fails."""

    def __init__(self, pool: ConnectionPool, timeout: float) -> None:
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True
        self._multiplexed = MultiplexedConnection(pool, timeout)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """By the lane, whatever the command."""
        (answer,) = await self._multiplexed.ask([args])
        return _parse_reply(self.response_callbacks, args, options, answer)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Any:
        """By the lane unless it is a transaction."""
        if transaction:
            return super().pipeline(transaction, shard_hint)
        return _MultiplexedPipeline(
            self._multiplexed, self.connection_pool, self.response_callbacks
        )

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the lane and the pool."""
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
        answers = await self._multiplexed.ask([args for args, _ in stack])
        return [
            answer
            if isinstance(answer, Exception) and not raise_on_error
            else _parse_reply(self.response_callbacks, args, options, answer)
            for (args, options), answer in zip(stack, answers, strict=True)
        ]


def _parse_reply(
    callbacks: Mapping[Any, Any], args: Command, options: Mapping[str, Any], answer: Any
) -> Any:
    """What redis-py makes of a raw answer."""
    if isinstance(answer, Exception):
        raise answer
    if (callback := callbacks.get(args[0])) is None:
        return answer
    return callback(answer, **{k: v for k, v in options.items() if k not in _INTERNAL})
