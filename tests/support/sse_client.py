"""A small strict SSE client on a raw socket. Tests can stall, half-close and reset it.

`SseClient` is one connection; it never reconnects. `Parser` follows WHATWG HTML 9.2.6 and also says
what a browser forgives but Headrace's own rules forbid (`Parser.faults`).
"""

from __future__ import annotations

import asyncio
import socket
import struct
import zlib
from collections.abc import Mapping
from typing import cast

from tests.support.sse_parser import Chunks, Event, Parser
from tests.support.waiting import until


class SseClient(asyncio.Protocol):
    """One subscription. `events` collects the events; `closed` is set at the end."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.head = b""
        self.body = bytearray()
        self.parser = Parser()
        self.events: list[Event] = []
        self.closed = asyncio.Event()
        self.error: Exception | None = None
        self._chunks = Chunks()
        self._gzip = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def connect(
        cls,
        port: int,
        target: str,
        *,
        headers: Mapping[str, str | bytes] | None = None,
        method: str = "GET",
        receive_buffer: int | None = None,
        stalled: bool = False,
    ) -> SseClient:
        """Send the request. With `stalled`, nothing is read until `resume`."""
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(sock, ("127.0.0.1", port))
            _, client = await loop.create_connection(cls, sock=sock)
        except BaseException:  # also when the caller is cancelled, as at the end of a chaos run
            sock.close()
            raise
        if stalled:
            client.stall()
        lines = [f"{method} {target} HTTP/1.1".encode()]
        for name, value in {"Host": "test", **(headers or {})}.items():
            lines.append(
                name.encode() + b": " + (value.encode() if isinstance(value, str) else value)
            )
        client.send(b"\r\n".join(lines) + b"\r\n\r\n")
        return client

    # ── asyncio.Protocol ──

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if not self.status:
            self.head += data
            head, found, data = self.head.partition(b"\r\n\r\n")
            if not found:
                return
            status, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
            self.status = int(status.split(" ")[1])
            pairs = (line.split(": ", 1) for line in lines)
            self.headers = {name.lower(): value for name, value in pairs}
        if self.headers.get("transfer-encoding") == "chunked":
            data = self._chunks.feed(data)
        if self.headers.get("content-encoding") == "gzip":
            data = self._gzip.decompress(data)
        self.body += data
        if self.headers.get("content-type", "").startswith("text/event-stream"):
            self.events += self.parser.feed(data)

    def eof_received(self) -> None:
        self.closed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.error = exc
        self.closed.set()

    # ── for tests ──

    async def wait(
        self, count: int, name: str | None = None, *, seconds: float = 30
    ) -> list[Event]:
        """Wait for `count` events with this name (None: any name). Returns them."""

        def enough() -> bool:
            found = len(self.named(name))
            if self.closed.is_set() and found < count:
                raise AssertionError(f"closed after {found} of {count} {name or 'events'}")
            return found >= count

        await until(enough, seconds=seconds, what=f"{count} events {name or ''}")
        return self.named(name)

    async def wait_id(self, position: str, *, seconds: float = 30) -> None:
        """Wait until an event with this id was received."""

        def there() -> bool:
            found = any(e.own_id == position for e in self.events)
            if self.closed.is_set() and not found:
                raise AssertionError(f"closed before event {position}")
            return found

        await until(there, seconds=seconds, what=f"event {position}")

    async def answered(self) -> SseClient:
        """Wait for the status and the headers of the response."""
        await until(lambda: self.status, what="a response")
        return self

    async def whole(self) -> bytes:
        """Wait for the complete body: until Content-Length is reached or the server closes."""

        def complete() -> bool:
            length = self.headers.get("content-length")
            return self.closed.is_set() or (length is not None and len(self.body) >= int(length))

        await until(complete, what="the end of the response")
        return bytes(self.body)

    def named(self, name: str | None) -> list[Event]:
        """The events with this name that were received so far."""
        return [e for e in self.events if name is None or e.name == name]

    @property
    def positions(self) -> list[str]:
        """The ids of the received journal events, in order."""
        return [e.own_id or "" for e in self.events if "." in e.name]

    @property
    def last_id(self) -> str:
        """The id that an EventSource would send as Last-Event-ID."""
        return self.parser.last_id

    def send(self, data: bytes) -> None:
        """Send any bytes, also invalid ones."""
        assert self._transport
        self._transport.write(data)

    def stall(self) -> None:
        """Stop reading, so that the kernel buffers fill up."""
        assert self._transport
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        assert self._transport
        self._transport.resume_reading()

    def half_close(self) -> None:
        """Send FIN and continue to read."""
        assert self._transport
        self._transport.write_eof()

    def reset(self) -> None:
        """Send RST."""
        assert self._transport
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def close(self) -> None:
        """Close the connection."""
        if self._transport:
            self._transport.abort()
