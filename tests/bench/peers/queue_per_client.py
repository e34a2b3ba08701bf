"""A peer: an aiohttp handler with one queue for each client. Arguments: the port, Redis' URL."""

from __future__ import annotations

from aiohttp import web

from services.fanout.sse import event_frame
from tests.bench.peers.feed import Feed, serve

_FEED = Feed()


async def subscribe(request: web.Request) -> web.StreamResponse:
    """One coroutine and one queue for each client."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    with _FEED.queue() as queue:
        await response.write(b'data: {"type":"connected"}\nid: 0-0\n\n')
        while True:
            await response.write(event_frame(await queue.get()))


if __name__ == "__main__":
    serve(_FEED, subscribe)
