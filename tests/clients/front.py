"""A TCP front before a fanout, as a load balancer is: it moves, cuts, and ends in mid-frame.

`target` is where new connections go. `requests` are the heads that the client sent, in order.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

Where = Callable[[bytes], int]
"""Given a frame, how many bytes of it still go out before the connection ends."""

_START = b"event: stream."

CUTS: dict[str, Where] = {
    "in the name": lambda frame: len(_START),
    "in the data": lambda frame: len(frame) // 2,
    "after the data": lambda frame: frame.index(b"\nid: ") + 1,
    "in the id": lambda frame: frame.index(b"\nid: ") + 8,
    "before the blank line": lambda frame: len(frame) - 1,
}


class Front:
    """One client's way to the fanout."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.requests: list[str] = []
        self._where: Where | None = None
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> Front:
        """Accept connections, on the port of before."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]
        return self

    def shut(self) -> None:
        """Cut all, and let connections be refused from now on."""
        if self._server:
            self._server.close()
        self._server = None
        self.cut()

    def cut(self) -> None:
        """Reset all connections now."""
        for writer in self._writers:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def end_in_frame(self, where: Where) -> None:
        """End the connection, orderly, within the next event."""
        self._where = where

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(OSError):
            await self._carry(reader, writer)
        writer.close()
        self._writers.discard(writer)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers.add(server_writer)
        ways = [
            asyncio.create_task(self._up(reader, server_writer)),
            asyncio.create_task(self._down(server_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            server_writer.close()
            self._writers.discard(server_writer)

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            self.requests.append(data.decode())
            writer.write(data)

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            if self._where and (begun := data.find(_START)) >= 0:
                data = await self._last(reader, data, begun)
                writer.write(data)
                await writer.drain()
                return
            writer.write(data)

    async def _last(self, reader: asyncio.StreamReader, data: bytes, begun: int) -> bytes:
        """What goes out at last: all before the frame, and its beginning."""
        assert self._where
        while (end := data.find(b"\n\n", begun)) < 0:
            data += await reader.read(1 << 16)
        where, self._where = self._where, None
        return data[: begun + where(data[begun : end + 2])]
