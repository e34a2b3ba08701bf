"""Reads the channel: a connection in subscriber mode that uses hiredis directly.

redis-py's pub/sub needs twice the CPU time for a message. After a lost connection redis-py
subscribes again and does not tell its caller (docs/decisions/0007-channel-read-with-hiredis.md).
This reader ends with its connection, so the caller knows that messages may be missing.

See docs/decisions/0087-events-are-written-when-they-are-read.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import hiredis
import structlog
from redis.asyncio import Redis

from shared.domain.position import parse_position
from shared.journal.wire import JournalEntry, parse_message
from shared.redis.transport import TransportProtocol, take_transport

log = structlog.get_logger()

OnMessage = Callable[[bytes], None]
OnRead = Callable[[], None]


class ChannelReader(TransportProtocol):
    """Calls `on_message` with each message, and `on_read` after the messages of one read.

    The future `closed` fails when the connection ends.
    """

    def __init__(self, on_message: OnMessage, on_read: OnRead = lambda: None) -> None:
        self._on_message = on_message
        self._on_read = on_read
        self._parser = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        loop = asyncio.get_running_loop()
        self.subscribed: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport for commands."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's class has another base

    def send(self, *command: str) -> None:
        """Write a command. Its answer arrives through `data_received`."""
        assert self._transport is not None
        packed = hiredis.pack_command(command)  # type: ignore[arg-type] # stub means tuple[…, ...]
        self._transport.write(packed)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes, which may contain several messages."""
        self._parser.feed(data)
        try:
            while (reply := self._parser.gets()) is not False:
                self._on_reply(reply)
        finally:
            self._on_read()

    def _on_reply(self, reply: Any) -> None:
        if isinstance(reply, hiredis.ReplyError):
            self._end(ConnectionError(f"Redis refused: {reply}"))
        elif isinstance(reply, list) and reply[0] == b"message":
            self._on_message(reply[2])
        elif isinstance(reply, list) and reply[0] == b"subscribe" and not self.subscribed.done():
            self.subscribed.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """End this reader. Coroutines that wait for `subscribed` or `closed` get the error."""
        self._end(exc or ConnectionResetError("Redis closed the channel's connection"))

    def _end(self, error: Exception) -> None:
        for future in (self.subscribed, self.closed):
            if not future.done():
                future.set_exception(error)
                future.exception()  # else asyncio logs the error of a future that nobody awaits
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.abort()


async def subscribe(
    redis: Redis,
    channel: str,
    on_message: OnMessage,
    on_read: OnRead = lambda: None,
    *,
    seconds: float,
) -> ChannelReader:
    """Connect like `redis` does, and subscribe.

    Raises the errors of Redis, and TimeoutError after `seconds`.
    """
    async with asyncio.timeout(seconds):
        reader = await take_transport(
            redis.connection_pool, lambda: ChannelReader(on_message, on_read)
        )
        try:
            reader.send("SUBSCRIBE", channel)
            await reader.subscribed
        except BaseException:
            reader.close()
            raise
    return reader


def own_entry(raw: bytes, namespace: str) -> JournalEntry | None:
    """The entry in a message. None if it is unreadable or belongs to another namespace."""
    try:
        name, entry = parse_message(raw)
        parse_position(entry.position)
    except ValueError as error:
        log.warning("foreign_message", error=str(error))
        return None
    return entry if name == namespace else None
