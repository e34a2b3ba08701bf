"""A small HTTP proxy that forwards requests and opens tunnels, and records both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Proxy:
    """`routes` maps a host name to a port on loopback. Other hosts get 403."""

    def __init__(self, routes: Mapping[str, int]) -> None:
        self.routes = routes
        self.asked: list[str] = []
        self.heads: list[str] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, target, _ = head.split("\r\n", 1)[0].split(" ")
            self.asked.append(f"{method} {target}")
            self.heads.append(head)
            host = target.partition(":")[0] if method == "CONNECT" else urlsplit(target).hostname
            port = self.routes.get(host or "")
            if port is None:
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            else:
                theirs, ours = await asyncio.open_connection("127.0.0.1", port)
                if method == "CONNECT":
                    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                else:
                    ours.write(_direct(head, target).encode())
                await asyncio.gather(_pump(reader, ours), _pump(theirs, writer))
        writer.close()


def _direct(head: str, target: str) -> str:
    """The request for the server: with a path instead of a URL, and `Connection: close`."""
    parts = urlsplit(target)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return head.replace(target, path, 1).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def proxying(**routes: int) -> AsyncIterator[Proxy]:
    """A running proxy. `routes` are host names with `_` for each dot: `horizon_example=8000`."""
    proxy = Proxy({name.replace("_", "."): port for name, port in routes.items()})
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
