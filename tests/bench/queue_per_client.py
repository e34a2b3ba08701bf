"""For comparison: an aiohttp handler with one queue for each client. The argument is the port.

Events come from Redis pub/sub, from the channel of the real system, and are sent unchanged.
"""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web
from redis.asyncio import Redis

from services.fanout.sse import event_frame
from shared.journal.wire import parse_message

_CLIENTS: set[asyncio.Queue[bytes]] = set()


async def subscribe(request: web.Request) -> web.StreamResponse:
    """One coroutine and one queue for each client."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    queue: asyncio.Queue[bytes] = asyncio.Queue(1000)
    _CLIENTS.add(queue)
    try:
        await response.write(b'data: {"type":"connected"}\nid: 0-0\n\n')
        while True:
            await response.write(await queue.get())
    finally:
        _CLIENTS.discard(queue)


async def feed(url: str) -> None:
    """Put each event into all queues."""
    pubsub = Redis.from_url(url, socket_timeout=None).pubsub()
    await pubsub.subscribe("stream-events")
    async for message in pubsub.listen():
        if message["type"] == "message":
            frame = event_frame(parse_message(message["data"])[1])
            for queue in _CLIENTS:
                queue.put_nowait(frame)


async def _feeding(app: web.Application) -> None:
    app[web.AppKey("feed", asyncio.Task)] = asyncio.create_task(feed(sys.argv[2]))


if __name__ == "__main__":
    app = web.Application()
    app.router.add_get("/v1/events/subscribe", subscribe)
    app.on_startup.append(_feeding)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
