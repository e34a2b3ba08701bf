"""A server with deadlines, and clients that send and read as slowly as a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from shared.web.connection import Deadlines
from shared.web.connections import Connections
from shared.web.listening import listen
from shared.web.problems import problem_middleware
from tests.support.pace import last

LONG = Deadlines(head=60, body=60, progress=60, answer=60)
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE = 8 << 20


async def answer(request: web.Request) -> web.Response:
    """The size of the body, or a large answer."""
    if request.path == "/large":
        return web.Response(body=bytes(LARGE))
    if request.path == "/slow":
        await last(0.2)
    return web.Response(text=f"{len(await request.read())} bytes")


@dataclass
class Client:
    """A client that sends bytes and reads what comes, or nothing."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        """Send some bytes, also to a server that has closed."""
        self.writer.write(data)

    async def answered(self, text: bytes) -> None:
        """Read until the answer has this text."""
        await asyncio.wait_for(self.reader.readuntil(text), 30)

    async def rest(self) -> bytes:
        """Everything until the server ends the connection. b"" after a reset."""
        try:
            return await asyncio.wait_for(self.reader.read(), 30)
        except ConnectionResetError:
            return b""

    async def keeps_sending(self, data: bytes) -> None:
        """Send the data again and again until the server ends the connection."""
        while not (self.reader.exception() or self.reader.at_eof()):
            self.writer.write(data)
            await last(0.01)


@dataclass
class Server:
    """A server of this process."""

    port: int
    connections: Connections
    clients: list[Client] = field(default_factory=list)
    watching: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Begin to check the connections all the time."""
        self.watching = asyncio.create_task(self.connections.watch(0.01))

    async def connect(self, sent: bytes) -> Client:
        """A client that has sent these bytes. It reads at most 2 KB ahead."""
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 10))
        client.send(sent)
        self.clients.append(client)
        return client

    @property
    def unsent(self) -> list[int]:
        """The unsent bytes of each connection."""
        return [each.unsent for each in self.connections._connections()]


@asynccontextmanager
async def serving(
    deadlines: Deadlines = LONG, *, watching: bool = True, **more: Any
) -> AsyncIterator[Server]:
    """A server with these deadlines, which checks its connections all the time.

    With `watching=False` the test says when the checks begin. Before, no short deadline ends a
    connection that the test still prepares, even if the machine is busy.
    """
    app = web.Application(middlewares=[problem_middleware])
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    assert runner.server
    sock = listen("127.0.0.1", 0)
    connections = Connections(runner.server, deadlines=deadlines, **more)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(connections.make, sock=sock)
    server = Server(sock.getsockname()[1], connections)
    if watching:
        server.watch()
    try:
        yield server
    finally:
        for client in server.clients:
            client.writer.transport.abort()
        if server.watching:
            server.watching.cancel()
        listening.close()
        await runner.cleanup()
