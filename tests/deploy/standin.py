"""A stand-in for the API behind a gateway: it records requests, and answers as its path says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from shared.web.connection import Deadlines
from shared.web.connections import Connections
from shared.web.listening import listen
from shared.web.problems import Problem
from tests.support.pace import last

LARGE = 8 << 20
"""Bytes of `/large`: more than all buffers on the way to a client can hold."""
_CHUNK = bytes(64 << 10)


@dataclass
class StandIn:
    """The port, and what has arrived: the raw path and the headers of each request."""

    port: int = 0
    requests: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    written: int = 0
    end: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            await request.read()
        except Problem as late:
            return web.Response(status=late.status, headers=late.headers)
        self.requests.append((request.raw_path, dict(request.headers)))
        match request.path:
            case "/large":
                return await self._large(request)
            case "/v1/events/export":
                return await self._export(request)
            case "/hang":
                await self.end.wait()
            case "/safe":
                return web.Response(text="safe\n", headers={"X-Content-Type-Options": "nosniff"})
        return web.Response(text="ok\n")

    async def _export(self, request: web.BaseRequest) -> web.StreamResponse:
        """Fillers, as long as no event matches (services/api/events/export.py)."""
        response = web.StreamResponse()
        await response.prepare(request)
        while not self.end.is_set():
            await response.write(b"\0")
            await last(0.02)
        return response

    async def _large(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(LARGE)})
        await response.prepare(request)
        for _ in range(LARGE // len(_CHUNK)):
            await response.write(_CHUNK)
            self.written += len(_CHUNK)
        return response


@asynccontextmanager
async def stand_in() -> AsyncIterator[StandIn]:
    """A stand-in on 127.0.0.1, with the API's deadlines, but 2 s for a body."""
    standing = StandIn()
    runner = web.ServerRunner(web.Server(standing.answer))
    await runner.setup()
    assert runner.server
    connections = Connections(runner.server, deadlines=Deadlines(body=2.0))
    sock = listen("127.0.0.1", 0)
    standing.port = sock.getsockname()[1]
    listening = await asyncio.get_running_loop().create_server(connections.make, sock=sock)
    watch = asyncio.create_task(connections.watch(0.1))
    try:
        yield standing
    finally:
        standing.end.set()
        watch.cancel()
        listening.close()
        await runner.cleanup()
