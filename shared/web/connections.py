"""All connections of a server: makes them, and watches their deadlines and their memory.

See docs/decisions/0072-requests-and-answers-end-in-time.md.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import structlog
from aiohttp import web

from shared.web.connection import Connection, Deadlines

log = structlog.get_logger()

UNSENT_BYTES = 64 << 20
"""The most bytes of answers that wait for the clients of one process."""

_DEADLINES = Deadlines()


class Connections:
    """The connections of one server. `options` are those of aiohttp's RequestHandler."""

    def __init__(
        self,
        server: web.Server,
        *,
        deadlines: Deadlines = _DEADLINES,
        unsent_bytes: int = UNSENT_BYTES,
        **options: Any,
    ) -> None:
        self._server = server
        self._unsent_bytes = unsent_bytes
        self._loop = asyncio.get_running_loop()
        self.make = partial(
            Connection, server, deadlines, self._on_pause, loop=self._loop, **options
        )
        """Makes the protocol of a new connection."""
        self._fitting = False

    async def watch(self, every: float = 1.0) -> None:
        """Check all connections again and again, until cancelled."""
        while True:
            await asyncio.sleep(every)
            now = self._loop.time()
            for connection in self._connections():
                connection.check(now)

    def _connections(self) -> list[Connection]:
        return [c for c in self._server.connections if isinstance(c, Connection)]

    def _on_pause(self) -> None:
        """A client is too slow for its answer. Soon compare the sum with the limit."""
        if not self._fitting:
            self._fitting = True
            self._loop.call_soon(self._fit)

    def _fit(self) -> None:
        """End clients until all unsent answers fit.

        Those with the most unsent bytes come first: they have read nothing. A slow client that
        reads has fewer.
        """
        self._fitting = False
        waiting = [c for c in self._connections() if c.unsent]
        unsent = sum(c.unsent for c in waiting)
        if unsent <= self._unsent_bytes:
            return
        waiting.sort(key=lambda c: c.unsent)
        ended = 0
        while unsent > self._unsent_bytes:
            slowest = waiting.pop()
            unsent -= slowest.unsent
            slowest.abort()
            ended += 1
        log.warning("slow_readers_ended", connections=ended, unsent_bytes=unsent)
