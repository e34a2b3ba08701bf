"""A TCP proxy before a fanout, like a load balancer. It can cut connections inside an event.

New connections go to `target`. `requests` has the request heads of the client, in order.
`compressed` says whether the first response of each connection was compressed.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

CutPoint = Callable[[bytes], int]
"""The number of bytes of an event that are still sent before the connection ends."""

_START = b"event: stream."

CUTS: dict[str, CutPoint] = {
    "in the name": lambda frame: len(_START),
    "in the data": lambda frame: len(frame) // 2,
    "after the data": lambda frame: frame.index(b"\nid: ") + 1,
    "in the id": lambda frame: frame.index(b"\nid: ") + 8,
    "before the blank line": lambda frame: len(frame) - 1,
}


class CuttingProxy:
    """The connections of one client to the fanout."""

    def __init__(self, target: int) -> None:
        self.target = target
        # It never listens. It keeps the port from others while new connections are refused.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port: int = self._reserved.getsockname()[1]
        self.requests: list[str] = []
        self.compressed: list[bool] = []
        self._cut_point: CutPoint | None = None
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> CuttingProxy:
        """Accept connections, again on the same port."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        return self

    def refuse(self) -> None:
        """Cut all connections and refuse new ones."""
        if self._server:
            self._server.close()
        self._server = None
        self.cut()

    def close(self) -> None:
        """Refuse connections for good."""
        self.refuse()
        self._reserved.close()

    def cut(self) -> None:
        """Reset all connections now."""
        for writer in self._writers:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def cut_inside_event(self, cut_point: CutPoint) -> None:
        """Close the connection inside the next event, with FIN."""
        self._cut_point = cut_point

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(OSError):
            await self._forward(reader, writer)
        writer.close()
        self._writers.discard(writer)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers.add(server_writer)
        directions = [
            asyncio.create_task(self._up(reader, server_writer)),
            asyncio.create_task(self._down(server_reader, writer)),
        ]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in directions:
                task.cancel()
            await asyncio.gather(*directions, return_exceptions=True)
            server_writer.close()
            self._writers.discard(server_writer)

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            self.requests.append(data.decode())
            writer.write(data)

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.compressed.append(b"Content-Encoding: gzip\r\n" in head)
        writer.write(head)
        while data := await reader.read(1 << 16):
            if self._cut_point and (start := data.find(_START)) >= 0:
                data = await self._cut_event(reader, data, start)
                writer.write(data)
                await writer.drain()
                return
            writer.write(data)

    async def _cut_event(self, reader: asyncio.StreamReader, data: bytes, start: int) -> bytes:
        """The last bytes to send: everything before the event, and its first bytes."""
        assert self._cut_point
        while (end := data.find(b"\n\n", start)) < 0:
            data += await reader.read(1 << 16)
        cut_point, self._cut_point = self._cut_point, None
        return data[: start + cut_point(data[start : end + 2])]
