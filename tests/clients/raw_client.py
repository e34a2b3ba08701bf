"""Clients on raw sockets that may send any bytes, and the answers they get."""

from __future__ import annotations

import asyncio
import resource
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from tests.fanout.replicas import SUBSCRIBE
from tests.support.waiting import until

ALL = f"{SUBSCRIBE}?all=true"
HOST = b"Host: test\r\n"
TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(190)) + b"\0" * 10


def get(target: str, *headers: bytes, version: str = "1.1", method: str = "GET") -> bytes:
    """A request head."""
    lines = [
        f"{method} {target} HTTP/{version}\r\n".encode(),
        HOST,
        *(h + b"\r\n" for h in headers),
    ]
    return b"".join([*lines, b"\r\n"])


class RawClient(asyncio.Protocol):
    """One connection. `received` has its bytes, `closed` is true after the server closed it."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.closed = False
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def connect(cls, port: int, data: bytes) -> RawClient:
        """Connect and send this data."""
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(cls, "127.0.0.1", port)
        client.send(data)
        return client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.received += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True

    @property
    def status(self) -> int:
        """The status of the first answer; 0 before it arrives."""
        words = bytes(self.received[:20]).split(b" ")
        return int(words[1]) if words[0].startswith(b"HTTP/1.") else 0

    @property
    def body(self) -> bytes:
        """The bytes after the head of the first answer."""
        return bytes(self.received).partition(b"\r\n\r\n")[2]

    async def wait_closed(self) -> None:
        """Wait until the server has closed the connection."""
        await until(lambda: self.closed, what="the end of the connection")

    def send(self, data: bytes) -> None:
        """Send more data, unless the connection is closed."""
        if self._transport and not self.closed:
            self._transport.write(data)

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


@asynccontextmanager
async def open_many(
    port: int, count: int, heads: Sequence[bytes]
) -> AsyncIterator[list[RawClient]]:
    """Open this many connections, and send one of these incomplete requests on each."""
    clients = [await RawClient.connect(port, heads[n % len(heads)]) for n in range(count)]
    try:
        yield clients
    finally:
        for client in clients:
            client.close()


def memory(pid: int) -> int:
    """The resident bytes of a process (Linux)."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()
