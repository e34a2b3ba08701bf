"""Who waits for whom: receivers that fail or are slow have places of their own.

A delivery holds a place of its lane until the answer is there. An endpoint is in the lane `slow` if
its last attempt failed or took longer than SLOW_SECONDS. So a receiver that hangs keeps a place of
the lane `healthy` once, and then it delays only other slow receivers.

See docs/decisions/0129-a-receiver-holds-up-no-other.md.
"""

from __future__ import annotations

import asyncio

from services.webhooks.metrics import IN_FLIGHT, Lane

SLOW_SECONDS = 1.0
"""An attempt that takes longer is slow."""

MOST_SLOW_ENDPOINTS = 20_000
"""More are not remembered. The one that was slow first is forgotten, and counts as healthy."""

SHARE_OF_A_SERVER = 5
"""One server (host and port) has at most one fifth of the places of a lane."""


class Places:
    """The places of one lane. They are given in the order in which they were asked for."""

    def __init__(self, lane: Lane, most: int) -> None:
        self._all = asyncio.Semaphore(most)
        self._most_of_a_server = max(1, most // SHARE_OF_A_SERVER)
        self._servers: dict[str, _Server] = {}  # only those with deliveries
        self._taken = 0
        IN_FLIGHT.labels(lane).set_function(lambda: self._taken)  # cheaper than inc and dec

    async def acquire(self, server: str) -> None:
        """Wait for a place. The caller gives it back with `release`."""
        known = self._servers.get(server)
        if known is None:
            known = self._servers[server] = _Server(self._most_of_a_server)
        known.users += 1
        try:
            await known.places.acquire()
            try:
                await self._all.acquire()
            except BaseException:
                known.places.release()
                raise
        except BaseException:
            self._leave(server, known)
            raise
        self._taken += 1

    def release(self, server: str) -> None:
        """Give a place back."""
        self._taken -= 1
        self._all.release()
        known = self._servers[server]
        known.places.release()
        self._leave(server, known)

    def _leave(self, server: str, known: _Server) -> None:
        known.users -= 1
        if not known.users:
            del self._servers[server]


class _Server:
    """The places of one server in a lane. `users` have one or wait for one."""

    __slots__ = ("places", "users")

    def __init__(self, most: int) -> None:
        self.places = asyncio.Semaphore(most)
        self.users = 0


class LaneMemory:
    """The endpoints that are in the slow lane. All others are in the healthy one."""

    def __init__(self) -> None:
        self._slow: dict[str, None] = {}  # in the order in which they became slow

    def lane(self, endpoint_id: str) -> Lane:
        """The lane of the next attempt."""
        return Lane.SLOW if endpoint_id in self._slow else Lane.HEALTHY

    def ended(self, endpoint_id: str, *, taken: bool, seconds: float) -> None:
        """Remember how an attempt ended."""
        if taken and seconds <= SLOW_SECONDS:
            self._slow.pop(endpoint_id, None)
            return
        self._slow[endpoint_id] = None
        if len(self._slow) > MOST_SLOW_ENDPOINTS:
            del self._slow[next(iter(self._slow))]
