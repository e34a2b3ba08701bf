"""Connections that send a request slowly and never finish it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import cast

from shared.runtime.tasks import cancel
from tests.support.pace import last

_DRIP_SECONDS = 3.0


class HalfSent(asyncio.Protocol):
    """One connection. `closed` is set when the server has closed it."""

    HEAD = b"GET /v1/streams HTTP/1.1\r\nHost: test\r\nX-Slow: "
    """A head that never ends."""
    SECOND = b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n" + HEAD
    """A whole request, and a second head that never ends."""
    BODY = (
        b"POST /v1/streams HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
        b'Content-Length: 5000\r\nAUTHORIZATION\r\n\r\n{"'
    )
    """A whole head, and a body that never ends. `connect` puts the headers in."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def connect(
        cls, port: int, data: bytes, headers: Mapping[str, str] | None = None
    ) -> HalfSent:
        """Send the data. `headers` replace the placeholder in BODY."""
        lines = [f"{name}: {value}" for name, value in (headers or {"X-None": ""}).items()]
        sock = socket.socket()
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(sock, ("127.0.0.1", port))
            _, made = await loop.create_connection(cls, sock=sock)
        except BaseException:
            sock.close()
            raise
        made.send(data.replace(b"AUTHORIZATION", "\r\n".join(lines).encode()))
        return made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()

    def send(self, data: bytes) -> None:
        """Send more, unless the connection has ended."""
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """End the connection."""
        if self._transport:
            self._transport.abort()


async def open_after(seconds: float, connections: list[HalfSent]) -> int:
    """How many are still open after this time. Meanwhile each sends a byte every few seconds."""

    async def drip() -> None:
        while True:
            await last(_DRIP_SECONDS)
            for each in connections:
                each.send(b"x")

    dripping = asyncio.create_task(drip())
    await last(seconds)
    await cancel(dripping)
    left = sum(not each.closed.is_set() for each in connections)
    for each in connections:
        each.close()
    return left
