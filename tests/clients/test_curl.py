"""curl ends at a clean end of the answer, also with --retry. docs/clients/libraries.md says so."""

from __future__ import annotations

import asyncio
import subprocess

import pytest
from aiohttp import web
from pytest_aiohttp import AiohttpServer

from tests.support.programs import needed

FRAME = b'retry: 100\ndata: {"type":"connected"}\nid: 7-1\n\n'


@pytest.mark.parametrize("clean", [True, False])
async def test_curl_retries_only_an_answer_that_broke(
    aiohttp_server: AiohttpServer, clean: bool
) -> None:
    asked: list[str | None] = []

    async def subscribe(request: web.Request) -> web.StreamResponse:
        asked.append(request.headers.get("Last-Event-ID"))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        if not clean:
            response.content_length = 1 << 20  # more than is sent
        await response.prepare(request)
        await response.write(FRAME)
        if not clean:
            assert request.transport
            request.transport.close()
        return response

    app = web.Application()
    app.router.add_get("/", subscribe)
    server = await aiohttp_server(app)
    retry = ["--retry", "2", "--retry-all-errors", "--retry-delay", "1"]
    process = await asyncio.create_subprocess_exec(
        needed("curl"), "-sN", *retry, str(server.make_url("/")), stdout=subprocess.DEVNULL
    )
    code = await process.wait()
    assert (code == 0) is clean
    assert asked == [None] * (1 if clean else 3), "it sends no last id"
