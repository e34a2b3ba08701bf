"""Faults of the links between a primary of Redis and the replicas that fanouts read."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Callable
from contextlib import suppress

from redis.exceptions import RedisError

from tests.chaos.deletions import FLUSHED, FLUSHED_LATE
from tests.chaos.failovers import FailoverFaults, Fault
from tests.chaos.faults import Faults
from tests.chaos.redis_failover import ReplicatedRedis
from tests.chaos.redis_linked import RedisLinked
from tests.chaos.world import World
from tests.support.pace import last
from tests.support.waiting import until

HELD_BACK = "a replica late"
CUT_OFF = "a replica cut off"
LATE_PROMOTED = "SIGKILL of the primary, a late replica promoted"

_BY_PROXY = "pub/sub late"
"""This fault needs a proxy before the Redis that fanouts subscribe to."""


def faults_of(faults: Faults, world: World, draws: Callable[[], random.Random]) -> dict[str, Fault]:
    """All faults that are possible in this world, by name."""
    server = world.server
    if not isinstance(server, ReplicatedRedis):
        return faults.all()
    common = {name: act for name, act in faults.all().items() if name != _BY_PROXY}
    if isinstance(server, RedisLinked):
        links = LinkFaults(server, world.restarts, draws())
        late: dict[str, Fault] = {}
        if flush := common.get(FLUSHED):  # not with webhooks
            late[FLUSHED_LATE] = lambda: links.delete_late(flush)
        return common | links.all() | late
    return common | FailoverFaults(server, world.restarts, draws()).all()


class LinkFaults(FailoverFaults):
    """The faults of a primary with replicas, and those of the links between them."""

    def __init__(
        self, server: RedisLinked, restarts: set[asyncio.Task[None]], rng: random.Random
    ) -> None:
        super().__init__(server, restarts, rng)
        self._linked = server
        self._servers = server.servers

    def all(self) -> dict[str, Fault]:
        """The faults by the name in the table."""
        return super().all() | {
            HELD_BACK: self.hold_back,
            CUT_OFF: self.cut_off,
            "every replica late": self.hold_all_back,
            LATE_PROMOTED: self.promote_late,
            "CLIENT KILL of pub/sub": self.kill_pubsub,
        }

    async def hold_back(self) -> str:
        """Let a replica lag for some seconds. No connection is closed."""
        await self._begin()
        node = self._rng.choice(self._servers.replicas)
        self._servers.hold_back(node)
        return await self._until_let_in(str(node.port), 1, 8)

    async def hold_all_back(self) -> str:
        """Let both replicas lag for some seconds."""
        await self._begin()
        self._servers.hold_back(*self._servers.replicas)
        return await self._until_let_in("both", 1, 5)

    async def delete_late(self, delete: Fault) -> str:
        """Delete everything while both replicas lag.

        Commands of the API that wait for replicas lose what they wrote. The fanouts still read the
        journal that is lost.
        """
        await self._begin()
        self._servers.hold_back(*self._servers.replicas)
        await last(self._rng.uniform(0.2, 2))
        await asyncio.gather(delete(), self._until_let_in("", 0, 3))
        return "redis"

    async def cut_off(self) -> str:
        """Close the connection of a replica to the primary, and refuse new ones for a while."""
        await self._begin()
        node = self._rng.choice(self._servers.replicas)
        self._servers.cut_off(node)
        return await self._until_let_in(str(node.port), 2, 10)

    async def promote_late(self) -> str:
        """Kill the primary, and promote the replica that lacks its last writes.

        The other replica has these writes, so fanouts have published events that are lost.
        """
        node, began = await self._begin()
        late = self._rng.choice(self._servers.replicas)
        self._servers.hold_back(late)
        await last(self._rng.uniform(0.5, 2))
        self._linked.promoted_next = late
        await node.stop(signal.SIGKILL)
        self._servers.links[late.port].cut()
        self._servers.let_in()
        return self._then(node, self._replaced(node, began))

    async def kill_pubsub(self) -> str:
        """End the channel's connections at every server several times."""
        for _ in range(4):
            for node in self._servers.servers.values():
                with suppress(RedisError, OSError):
                    await node.ask("CLIENT", "KILL", "TYPE", "pubsub")
            await last(self._rng.uniform(0.05, 0.4))
        return "redis"

    async def _until_let_in(self, note: str, low: float, high: float) -> str:
        try:
            await last(self._rng.uniform(low, high))
        finally:
            self._servers.let_in()
        await until(self._servers.is_well, seconds=30, what="replicas in step")
        self._one_at_a_time.release()
        return note
