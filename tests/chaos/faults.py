"""The faults. Each is a coroutine that disturbs the running system and returns when it is over."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

from redis.exceptions import RedisError

from tests.chaos.archive_faults import AWAY, RESTORED, ArchiveFaults
from tests.chaos.clocks import Clock, ClockFaults
from tests.chaos.deletions import EMPTY, FLUSHED, FLUSHED_LATE, DeletionFaults
from tests.chaos.external import ExternalFaults
from tests.chaos.flood import FloodFault
from tests.chaos.history import SourceFaults
from tests.chaos.redis_single import RedisSingle
from tests.chaos.storage import RedisFaults
from tests.chaos.webhook_faults import NOT_WITH_WEBHOOKS, WebhookFaults
from tests.chaos.world import APIS, FANOUTS, INDEXERS, KEYS, World
from tests.support.pace import last
from tests.support.tcp_proxy import TcpProxy, every_link, no_link, subscribers

ALONE = frozenset({"clock of Redis jumps", FLUSHED, FLUSHED_LATE, EMPTY, RESTORED, AWAY})
"""These faults are never combined with another.

A lease lives longer by as much as the clock of Redis goes back. And after a loss of all data, the
lost data is known only from the parts that continue to run. A fanout that falls behind the start of
the journal while the archive is away goes on after a `gap`.
"""


class Faults:
    """The faults. Their choices come from one random generator."""

    def __init__(
        self, world: World, rng: random.Random, external: ExternalFaults, seconds: float
    ) -> None:
        """`seconds` is the duration of the run."""
        self.external = external
        self.jumps = ClockFaults(_clocks(world), rng)
        self._world = world
        self._rng = rng
        self._longest = min(30.0, seconds / 3)

    def all(self) -> dict[str, Callable[[], Awaitable[str]]]:
        """The faults by the name in the table. Each returns the name of the part that was hit."""
        if not self._world.webhooks:
            return self._usual()
        found = self._usual() | WebhookFaults(self._world, self._rng).all()
        return {name: act for name, act in found.items() if name not in NOT_WITH_WEBHOOKS}

    def _usual(self) -> dict[str, Callable[[], Awaitable[str]]]:
        return {
            "SIGKILL of a fanout": lambda: self._end(FANOUTS, signal.SIGKILL),
            "SIGKILL of every fanout": self.kill_fanouts,
            "SIGTERM of a fanout": lambda: self._end(FANOUTS, signal.SIGTERM),
            "SIGKILL of the active indexer": self.kill_active,
            "SIGTERM of an indexer": lambda: self._end(INDEXERS, signal.SIGTERM),
            "SIGKILL of the API": lambda: self._end(APIS, signal.SIGKILL),
            "SIGTERM of the API": lambda: self._end(APIS, signal.SIGTERM),
            "SIGSTOP of a service": self.stop_service,
            **self._of_storage(),
            **self.jumps.all(),
            **self._of_data(),
            **SourceFaults(self._world, self._rng).all(),
            "CLIENT KILL of pub/sub": self.kill_pubsub,
            "pub/sub late": self.late_pubsub,
            "connections cut": self.cut,
            "connections delayed": self.delay,
            "connections throttled": self.throttle,
            "connections half-open": self.freeze,
            "connections refused": self.refuse,
            "two indexers active": self.two_active,
            "source misbehaves": self.external.misbehave,
            "source lags": self.external.lag,
            "tokens revoked": self.external.revoke,
            "flood of slow readers": self.external.flood,
            "flood by one account": FloodFault(self._world, self._rng).flood,
            "rolling restart": self.roll,
        }

    def _of_data(self) -> dict[str, Callable[[], Awaitable[str]]]:
        """With an archive, nothing may be lost, so what was deleted is restored."""
        kind = ArchiveFaults if self._world.archive else DeletionFaults
        return kind(self._world, self._rng).all()

    def _of_storage(self) -> dict[str, Callable[[], Awaitable[str]]]:
        if not isinstance(self._world.server, RedisSingle):
            return {}
        storage = RedisFaults(self._world.server, self._rng, self._longest)
        return {
            "SIGKILL of Redis": lambda: storage.restart(signal.SIGKILL),
            "SIGTERM of Redis": lambda: storage.restart(signal.SIGTERM),
            "SIGSTOP of Redis": storage.hang,
            "Redis away": storage.away,
            "disk of Redis full": storage.fill_disk,
        }

    # ── processes ──

    def _one_of(self, names: tuple[str, ...]) -> str | None:
        """A running service, or None: a second fault may have stopped it."""
        running = [name for name in names if name in self._world.running]
        return self._rng.choice(running) if running else None

    async def _end(self, names: tuple[str, ...], number: int) -> str:
        if name := self._one_of(names):
            await self._world.stop(name, number)
            self._world.restart_soon(name)
        return name or ""

    async def kill_fanouts(self) -> str:
        """Kill all fanouts, for longer than clients wait before they reconnect to the gateway."""
        names = [name for name in FANOUTS if name in self._world.running]
        await asyncio.gather(*(self._world.stop(name, signal.SIGKILL) for name in names))
        await last(self._rng.uniform(1.5, 3.0))
        for name in names:
            self._world.restart_soon(name)
        return " and ".join(names)

    async def kill_active(self) -> str:
        """Kill the active indexer. The standby must notice it by the lease."""
        active = await self._world.active()
        return await self._end((active,) if active else INDEXERS, signal.SIGKILL)

    async def stop_service(self) -> str:
        """Stop a service with SIGSTOP for a while, then let it continue."""
        if name := self._one_of(self._world.names):
            process = self._world.running[name]
            process.signal(signal.SIGSTOP)
            await last(self._rng.uniform(0.5, 6.0))
            with suppress(ProcessLookupError):  # another fault has ended the process
                process.signal(signal.SIGCONT)
        return name or ""

    async def roll(self) -> str:
        """Restart every service in turn, each when the one before is ready."""
        for name in self._world.names:
            if name in self._world.running:
                await self._world.stop(name, signal.SIGTERM)
                await self._world.start(name)
        return "all services"

    # ── the channel, and the active indexer ──

    async def kill_pubsub(self) -> str:
        """End the channel's connections several times. Each time at most one message is lost.

        Connections of Sentinels stay: without them, a Sentinel takes the primary for dead.
        """
        redis = self._world.redis
        for _ in range(4):
            with suppress(RedisError):
                for client in await redis.client_list(_type="pubsub"):
                    if not client["name"].startswith("sentinel-"):
                        await redis.client_kill_filter(_id=client["id"])
            await last(self._rng.uniform(0.05, 0.4))
        return "redis"

    async def late_pubsub(self) -> str:
        """Delay the messages of the channel, so the journal is read before they arrive."""
        await asyncio.gather(*map(self._hold_subscriber, FANOUTS))
        return "fanouts"

    async def _hold_subscriber(self, name: str) -> None:
        for _ in range(2):
            self._way(name, "redis").hold = subscribers
            await last(
                self._rng.uniform(1.05, 1.3)
            )  # one check of the journal happens in this time, but not two
            self._way(name, "redis").hold = no_link
            await last(0.1)

    async def two_active(self) -> str:
        """Delete the lease of the active indexer while its source is slow."""
        if active := await self._world.active():
            self._way(active, "network").delay = 0.6
            await last(1.0)
            with suppress(RedisError):
                await self._world.redis.delete(KEYS.lease)
            await last(2.5)
            self._way(active, "network").delay = 0.0
        return active or ""

    # ── connections ──

    def _way(self, *way: str) -> TcpProxy:
        return self._world.proxies[way[0], way[1]]

    def _some_way(self) -> tuple[TcpProxy, str]:
        way = self._rng.choice(list(self._world.proxies))
        return self._way(*way), " > ".join(way)

    async def cut(self) -> str:
        """Abort all connections between two parts several times."""
        proxy, name = self._some_way()
        for _ in range(self._rng.randint(1, 5)):
            proxy.cut()
            await last(self._rng.uniform(0.05, 0.3))
        return name

    async def delay(self) -> str:
        """Delay all data between two parts."""
        proxy, name = self._some_way()
        proxy.delay = self._rng.uniform(0.05, 0.5)
        await last(self._rng.uniform(1, 3))
        proxy.delay = 0.0
        return name

    async def throttle(self) -> str:
        """Limit the data between two parts to a few kilobytes a second."""
        proxy, name = self._some_way()
        proxy.rate = self._rng.randint(2_000, 20_000)
        await last(self._rng.uniform(1, 3))
        proxy.rate = 0
        return name

    async def freeze(self) -> str:
        """Hold back all data between two parts. Then deliver it, or abort the connections."""
        proxy, name = self._some_way()
        proxy.frozen = every_link
        await last(self._rng.uniform(0.5, 5.0))
        if self._rng.random() < 0.5:
            proxy.cut()
        proxy.frozen = no_link
        return name

    async def refuse(self) -> str:
        """Abort the connections between two parts and refuse new ones for a while."""
        proxy, name = self._some_way()
        proxy.refusing = True
        proxy.cut()
        await last(self._rng.uniform(0.3, 2.0))
        proxy.refusing = False
        return name


def _clocks(world: World) -> dict[str, Clock]:
    """The clocks by the name of the process."""
    server = world.server
    return world.clocks | ({"redis": server.clock} if isinstance(server, RedisSingle) else {})
