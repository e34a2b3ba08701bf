"""A peer: sse-starlette in uvicorn, used as its documentation says.

Arguments: the port, Redis' URL.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from tests.bench.peers.feed import Feed

_FEED = Feed()


async def subscribe(_: Request) -> EventSourceResponse:
    """One generator and one queue for each client."""
    return EventSourceResponse(_events(), sep="\n")


async def _events() -> AsyncIterator[ServerSentEvent]:
    with _FEED.queue() as queue:
        yield ServerSentEvent('{"type":"connected"}', id="0-0", sep="\n")
        while True:
            entry = await queue.get()
            yield ServerSentEvent(
                entry.body.decode(), id=entry.position, event=entry.type, sep="\n"
            )


@asynccontextmanager
async def _feeding(_: Starlette) -> AsyncIterator[None]:
    async with _FEED.running(sys.argv[2]):
        yield


if __name__ == "__main__":
    app = Starlette(routes=[Route("/v1/events/subscribe", subscribe)], lifespan=_feeding)
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_level="critical",
        backlog=4096,
        timeout_graceful_shutdown=1,
    )
