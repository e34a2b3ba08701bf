"""Peers on raw sockets that say what they like: to see what they are answered."""

from __future__ import annotations

import asyncio
import resource
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from tests.fanout.rig import SUBSCRIBE
from tests.support.waiting import until

ALL = f"{SUBSCRIBE}?all=true"
HOST = b"Host: test\r\n"
TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(190)) + b"\0" * 10


def get(target: str, *headers: bytes, version: str = "1.1", method: str = "GET") -> bytes:
    """A request."""
    lines = [
        f"{method} {target} HTTP/{version}\r\n".encode(),
        HOST,
        *(h + b"\r\n" for h in headers),
    ]
    return b"".join([*lines, b"\r\n"])


class Peer(asyncio.Protocol):
    """One connection: `received` grows, `over` is set when the other side ended it."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.over = False
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def say(cls, port: int, sent: bytes) -> Peer:
        """Connect and send these bytes, as far as they are taken."""
        loop = asyncio.get_running_loop()
        _, peer = await loop.create_connection(cls, "127.0.0.1", port)
        peer.trickle(sent)
        return peer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.received += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.over = True

    @property
    def status(self) -> int:
        """Of the first answer; 0 while there is none."""
        words = bytes(self.received[:20]).split(b" ")
        return int(words[1]) if words[0].startswith(b"HTTP/1.") else 0

    @property
    def body(self) -> bytes:
        """What came after the first answer's head."""
        return bytes(self.received).partition(b"\r\n\r\n")[2]

    async def ended(self) -> None:
        """Until the other side has ended the connection."""
        await until(lambda: self.over, seconds=15, what="the connection's end")

    def trickle(self, data: bytes) -> None:
        """Send a little more, if anybody still listens."""
        if self._transport and not self.over:
            self._transport.write(data)

    def reset(self) -> None:
        """Send RST."""
        assert self._transport
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def close(self) -> None:
        """Hang up."""
        if self._transport:
            self._transport.abort()


@asynccontextmanager
async def crowd_of(port: int, count: int, heads: Sequence[bytes]) -> AsyncIterator[list[Peer]]:
    """So many peers, which send these beginnings of requests in turn; gone at the end."""
    peers = [await Peer.say(port, heads[n % len(heads)]) for n in range(count)]
    try:
        yield peers
    finally:
        for peer in peers:
            peer.close()


def memory(pid: int) -> int:
    """Resident bytes of a process (Linux)."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()
