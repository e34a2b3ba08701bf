"""A peer: aiohttp-sse, used as its documentation says. Arguments: the port, Redis' URL."""

from __future__ import annotations

from aiohttp import web
from aiohttp_sse import EventSourceResponse, sse_response

from tests.bench.peers.feed import Feed, serve

_FEED = Feed()


async def subscribe(request: web.Request) -> web.StreamResponse:
    """One coroutine and one queue for each client."""
    response: EventSourceResponse
    async with sse_response(request, sep="\n") as response:
        with _FEED.queue() as queue:
            await response.send('{"type":"connected"}', id="0-0")
            while response.is_connected():
                entry = await queue.get()
                await response.send(entry.body.decode(), id=entry.position, event=entry.type)
    return response


if __name__ == "__main__":
    serve(_FEED, subscribe)
