"""What the peers in Python share: each event from Redis goes into the queue of each client."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvloop
from aiohttp import web
from redis.asyncio import Redis

from shared.journal.keys import CHANNEL
from shared.journal.wire import JournalEntry, parse_message
from shared.runtime.tasks import cancel

_MOST = 1000
"""Entries that a queue holds."""


class Feed:
    """The queues of all clients."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[JournalEntry]] = set()

    @contextmanager
    def queue(self) -> Iterator[asyncio.Queue[JournalEntry]]:
        """A queue for one client."""
        queue: asyncio.Queue[JournalEntry] = asyncio.Queue(_MOST)
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)

    @asynccontextmanager
    async def running(self, url: str) -> AsyncIterator[None]:
        """Read from Redis inside the block."""
        task = asyncio.create_task(self._run(url))
        yield
        await cancel(task)

    async def _run(self, url: str) -> None:
        pubsub = Redis.from_url(url, socket_timeout=None).pubsub()
        await pubsub.subscribe(CHANNEL)
        async for message in pubsub.listen():
            if message["type"] == "message":
                entry = parse_message(message["data"])[1]
                for queue in self._queues:
                    queue.put_nowait(entry)


def serve(feed: Feed, subscribe: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
    """Serve subscriptions with aiohttp. Arguments of the process: the port, Redis' URL."""
    port, url = int(sys.argv[1]), sys.argv[2]

    async def feeding(_: web.Application) -> AsyncIterator[None]:
        async with feed.running(url):
            yield

    app = web.Application()
    app.router.add_get("/v1/events/subscribe", subscribe)
    app.cleanup_ctx.append(feeding)
    web.run_app(
        app,
        host="127.0.0.1",
        port=port,
        print=None,
        access_log=None,
        loop=uvloop.new_event_loop(),
        shutdown_timeout=1,  # the handlers wait for events, and would not end by themselves
    )
