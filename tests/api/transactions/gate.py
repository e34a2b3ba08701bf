"""A server between the API and the simulated RPC: it counts calls, and can stop to listen."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from aiohttp import web

from tests.indexer.simulated import Sim


class Gate:
    """`calls` counts the calls by method. After an answer to `last`, nothing listens any more."""

    def __init__(self, sim: Sim) -> None:
        self.calls: Counter[str] = Counter()
        self.last = ""
        self.url = ""
        self._sim = sim
        self._site: web.TCPSite | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Gate]:
        """Listen on a free port."""
        app = web.Application()
        app.router.add_post("/rpc", self._forward)
        runner = web.AppRunner(app)
        await runner.setup()
        self._site = web.TCPSite(runner, "127.0.0.1", 0)
        await self._site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/rpc"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _forward(self, request: web.Request) -> web.Response:
        body = await request.read()
        method = orjson.loads(body)["method"]
        self.calls[method] += 1
        headers = {"Content-Type": "application/json"}
        url = f"{self._sim.url}/rpc"
        async with self._sim.session.post(url, data=body, headers=headers) as answer:
            response = web.json_response(body=await answer.read(), status=answer.status)
        response.force_close()  # so that each call needs a new connection
        if method == self.last and self._site:
            await self._site.stop()
        return response
