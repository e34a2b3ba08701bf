"""Faults of a Redis with replicas.

A fault returns when the damage is done, so the recovery is measured from then on. A stopped server
starts again in the background, after another server became the primary.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextlib import suppress
from functools import partial
from itertools import zip_longest
from typing import Any

from redis.exceptions import RedisError

from tests.chaos.insist import insist
from tests.chaos.losses import Loss
from tests.chaos.redis_failover import ClusterRedis, ReplicatedRedis, SentinelRedis
from tests.chaos.world import World
from tests.support.pace import last
from tests.support.redis_node import Node
from tests.support.redis_replicas import cut_off, let_in
from tests.support.redis_sentinel import NAME
from tests.support.waiting import until

Fault = Callable[[], Awaitable[str]]

_LAG = 1.0
"""Seconds that a replica may be behind normally."""

_OF_REPLICAS = ("primary", "primaries", "replica", "Sentinel", "slot")


def shuffled(names: Collection[str], rng: random.Random) -> list[str]:
    """A random order of the faults, to be used from the end.

    Every second one is a fault of Redis.
    """
    deck = rng.sample(sorted(names), len(names))
    own = [name for name in deck if any(word in name for word in _OF_REPLICAS)]
    others = [name for name in deck if name not in own]
    pairs = zip_longest(own, others)
    return [name for pair in pairs for name in pair if name][::-1] if own else deck


def losses_of(world: World) -> list[Loss]:
    """The times in which writes may have been lost."""
    return world.server.losses if isinstance(world.server, ReplicatedRedis) else []


class FailoverFaults:
    """The faults of one Redis. `restarts` gets the tasks that run in the background."""

    def __init__(
        self, server: ReplicatedRedis, restarts: set[asyncio.Task[None]], rng: random.Random
    ) -> None:
        self._server = server
        self._restarts = restarts
        self._rng = rng
        self._one_at_a_time = asyncio.Lock()

    def all(self) -> dict[str, Fault]:
        """The faults by the name in the table. Each returns the port of the server."""
        faults: dict[str, Fault] = {
            "SIGKILL of the primary": lambda: self.end(signal.SIGKILL),
            "SIGTERM of the primary": lambda: self.end(signal.SIGTERM),
            "SIGSTOP of the primary": self.hang,
            "SIGKILL of the primary, writes lost": self.lose_writes,
            "SIGKILL of a replica": self.end_replica,
        }
        if isinstance(self._server, SentinelRedis):
            faults["SIGKILL of a Sentinel"] = partial(self.end_sentinel, self._server)
            faults["two primaries"] = partial(self.split, self._server)
        if isinstance(self._server, ClusterRedis):
            faults["slot moved"] = partial(self.move_slot, self._server)
        return faults

    async def end(self, number: int) -> str:
        """Stop the primary. Writes that no replica has are lost."""
        node, began = await self._begin()
        await node.stop(number)
        return self._then(node, self._replaced(node, began))

    async def hang(self) -> str:
        """Stop the primary with SIGSTOP.

        Later it continues as a second primary until it is demoted.
        """
        node, began = await self._begin()
        node.signal(signal.SIGSTOP)
        return self._then(node, self._replaced(node, began))

    async def lose_writes(self) -> str:
        """Cut the replicas off from the primary for a while, then kill it.

        The primary accepts writes without replicas, as it does until `min-replicas-max-lag` is over
        if the network loses the packets to its replicas.
        """
        node, began = await self._begin()
        replicas = await insist(self._server.replicas)
        await insist(lambda: node.ask("CONFIG", "SET", "min-replicas-to-write", "0"))
        await insist(lambda: cut_off(node, replicas))
        await last(self._rng.uniform(0.3, 1.5))
        await node.stop(signal.SIGKILL)
        await let_in(replicas)
        return self._then(node, self._replaced(node, began))

    async def split(self, server: SentinelRedis) -> str:
        """Cut the primary off from replicas and Sentinels, while services still use it.

        The old primary refuses writes, because it has no replica. Otherwise both primaries would
        accept writes, and events of the API on the old primary would lie below positions that
        clients received from the new one. A Sentinel demotes the old primary after ten seconds.
        """
        node, began = await self._begin()
        replicas = await insist(server.replicas)
        await insist(lambda: cut_off(node, replicas))
        sentinel = next(each for each in server.servers.sentinels.values() if each.running)
        await sentinel.ask("SENTINEL", "FAILOVER", NAME)
        return self._then(node, self._joined(server, node, replicas, began))

    async def _joined(
        self, server: SentinelRedis, node: Node, replicas: list[Node], began: float
    ) -> None:
        await server.elected(node)
        await until(partial(_left, node, replicas), seconds=30, what=f"{node.port} left by all")
        await let_in(replicas)
        await self._replaced(node, began)

    async def end_replica(self) -> str:
        """Kill a replica. Only a WAIT for more replicas than are left fails."""
        await self._begin()
        replicas = await until(lambda: insist(self._server.replicas), what="a replica")
        node = self._rng.choice(replicas)
        await node.stop(signal.SIGKILL)
        return self._then(node, self._back(node))

    async def end_sentinel(self, server: SentinelRedis) -> str:
        """Kill a Sentinel. The others are enough for an election."""
        await self._begin()
        node = self._rng.choice(list(server.servers.sentinels.values()))
        await node.stop(signal.SIGKILL)
        return self._then(node, self._back(node))

    async def move_slot(self, server: ClusterRedis) -> str:
        """Move the slot key by key, with a pause in which calls with several keys fail."""
        node, _ = await self._begin()
        try:
            async with server.servers.moving(server.key) as move:
                await move.some(self._rng.randint(1, 40))
                await last(self._rng.uniform(0, 2))
                while await move.some(100):
                    pass
        finally:
            self._one_at_a_time.release()
        return f"{node.port} > {move.target.port}"

    # ── in the background ──

    async def _begin(self) -> tuple[Node, float]:
        """Wait until the failover before is over. Returns the primary and when the risk began."""
        await self._one_at_a_time.acquire()
        return await insist(self._server.primary), time.time() - _LAG

    def _then(self, node: Node, rest: Coroutine[Any, Any, None]) -> str:
        async def act() -> None:
            try:
                await rest
                await until(self._server.servers.is_well, seconds=30, what="replicas in step")
            finally:
                self._one_at_a_time.release()

        self._restarts.add(asyncio.create_task(act()))
        return str(node.port)

    async def _replaced(self, node: Node, began: float) -> None:
        await self._server.elected(node)
        await self._back(node)
        await until(lambda: _follows(node), seconds=30, what=f"{node.port} as a replica")
        self._server.losses.append(Loss(began, time.time()))

    async def _back(self, node: Node) -> None:
        await last(self._rng.uniform(0, 1.5))
        if node.running:
            node.signal(signal.SIGCONT)
            await insist(lambda: self._server.demote(node))
        else:
            await insist(lambda: self._server.servers.start_again(node.port))


async def _follows(node: Node) -> bool:
    with suppress(RedisError, OSError):
        return (await node.read_info("INFO", "replication"))["role"] == "slave"
    return False


async def _left(node: Node, replicas: list[Node]) -> bool:
    """True if none of these replicas follows the server, so none can confirm its writes."""
    with suppress(RedisError, OSError):
        replication = [await each.read_info("INFO", "replication") for each in replicas]
        return all(each.get("master_port") != str(node.port) for each in replication)
    return False
