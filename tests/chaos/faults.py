"""What can go wrong, each as an act on the running system; it returns when the fault is over."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

from redis.exceptions import RedisError

from tests.chaos.clients import Client
from tests.chaos.orders import Orders
from tests.chaos.world import FANOUTS, INDEXERS, KEYS, SERVICES, World
from tests.support.pace import last
from tests.support.sse_client import SseClient
from tests.support.tcp_proxy import TcpProxy, everybody, nobody, subscribers

_SURFACES = (*["stream"] * 4, "root", "ledger", "getEvents", "getEvents", "getTransaction")
_KINDS = ("429", "503", "504", "hang", "drop", "cut", "malformed", "slow")
_OF_STREAM = ("stall", "error", "byebye", "no_meta", *_KINDS)


class Faults:
    """The acts. What they choose is drawn from one sequence of chances."""

    def __init__(
        self, world: World, chance: random.Random, clients: list[Client], orders: Orders
    ) -> None:
        self._world = world
        self._chance = chance
        self._clients = clients
        self._orders = orders
        self._redis_is_mine = asyncio.Lock()

    def all(self) -> dict[str, Callable[[], Awaitable[str]]]:
        """Each by its name in the table; it answers whom it struck."""
        return {
            "SIGKILL of a fanout": lambda: self._end(FANOUTS, signal.SIGKILL),
            "SIGTERM of a fanout": lambda: self._end(FANOUTS, signal.SIGTERM),
            "SIGKILL of the active indexer": self.kill_active,
            "SIGTERM of an indexer": lambda: self._end(INDEXERS, signal.SIGTERM),
            "SIGKILL of the API": lambda: self._end(("api",), signal.SIGKILL),
            "SIGTERM of the API": lambda: self._end(("api",), signal.SIGTERM),
            "SIGSTOP of a service": self.stop_service,
            "SIGKILL of Redis": lambda: self.restart_redis(signal.SIGKILL),
            "SIGTERM of Redis": lambda: self.restart_redis(signal.SIGTERM),
            "SIGSTOP of Redis": self.stop_redis,
            "CLIENT KILL of pub/sub": self.kill_pubsub,
            "pub/sub late": self.late_pubsub,
            "connections cut": self.cut,
            "connections delayed": self.delay,
            "connections throttled": self.throttle,
            "connections half-open": self.freeze,
            "connections refused": self.refuse,
            "two indexers active": self.two_active,
            "source misbehaves": self.misbehave,
            "source lags": self.lag,
            "tokens revoked": self.revoke,
            "flood of slow readers": self.flood,
            "rolling restart": self.roll,
        }

    # ── processes ──

    def _one_of(self, names: tuple[str, ...]) -> str | None:
        """One that runs: of two faults at once the other may have taken it."""
        running = [name for name in names if name in self._world.running]
        return self._chance.choice(running) if running else None

    async def _end(self, names: tuple[str, ...], number: int) -> str:
        if name := self._one_of(names):
            await self._world.stop(name, number)
            self._world.restart_soon(name)
        return name or ""

    async def kill_active(self) -> str:
        """The standby has to notice by itself."""
        active = await self._world.active()
        return await self._end((active,) if active else INDEXERS, signal.SIGKILL)

    async def stop_service(self) -> str:
        """Alive for the kernel, dead for everybody else; then it goes on as if nothing was."""
        if name := self._one_of(SERVICES):
            process = self._world.running[name]
            process.signal(signal.SIGSTOP)
            await last(self._chance.uniform(0.5, 6.0))
            with suppress(ProcessLookupError):  # another fault has ended it
                process.signal(signal.SIGCONT)
        return name or ""

    async def restart_redis(self, number: int) -> str:
        """What it has on disk is what it comes back with."""
        async with self._redis_is_mine:
            await self._world.server.stop(number)
            await last(self._chance.uniform(0, 1.5))
            await self._world.server.start()
        return "redis"

    async def stop_redis(self) -> str:
        """Longer than a call waits for an answer, now and then."""
        async with self._redis_is_mine:
            self._world.server.signal(signal.SIGSTOP)
            await last(self._chance.uniform(0.5, 5.0))
            self._world.server.signal(signal.SIGCONT)
        return "redis"

    async def roll(self) -> str:
        """Every service in its turn, the next when the one before is ready."""
        for name in SERVICES:
            if name in self._world.running:
                await self._world.stop(name, signal.SIGTERM)
                await self._world.start(name)
        return "all services"

    # ── the channel, and who is active ──

    async def kill_pubsub(self) -> str:
        """Several times, since each loses a message at the most."""
        for _ in range(4):
            with suppress(RedisError):
                await self._world.redis.client_kill_filter(_type="pubsub")
            await last(self._chance.uniform(0.05, 0.4))
        return "redis"

    async def late_pubsub(self) -> str:
        """The journal is known before the channel tells."""
        await asyncio.gather(*map(self._hold_subscriber, FANOUTS))
        return "fanouts"

    async def _hold_subscriber(self, name: str) -> None:
        for _ in range(2):
            self._way(name, "redis").hold = subscribers
            await last(self._chance.uniform(1.05, 1.3))  # a probe comes between, but not two
            self._way(name, "redis").hold = nobody
            await last(0.1)

    async def two_active(self) -> str:
        """The lease is lost without its holder's doing, while what it reads is old."""
        if active := await self._world.active():
            self._way(active, "network").delay = 0.6
            await last(1.0)
            with suppress(RedisError):
                await self._world.redis.delete(KEYS.lease)
            await last(2.5)
            self._way(active, "network").delay = 0.0
        return active or ""

    # ── the ways between ──

    def _way(self, *way: str) -> TcpProxy:
        return self._world.ways[way[0], way[1]]

    def _some_way(self) -> tuple[TcpProxy, str]:
        way = self._chance.choice(list(self._world.ways))
        return self._way(*way), " > ".join(way)

    async def cut(self) -> str:
        """Aborted, again and again."""
        proxy, name = self._some_way()
        for _ in range(self._chance.randint(1, 5)):
            proxy.cut()
            await last(self._chance.uniform(0.05, 0.3))
        return name

    async def delay(self) -> str:
        """Everything comes, later."""
        proxy, name = self._some_way()
        proxy.delay = self._chance.uniform(0.05, 0.5)
        await last(self._chance.uniform(1, 3))
        proxy.delay = 0.0
        return name

    async def throttle(self) -> str:
        """A few kilobytes a second."""
        proxy, name = self._some_way()
        proxy.rate = self._chance.randint(2_000, 20_000)
        await last(self._chance.uniform(1, 3))
        proxy.rate = 0
        return name

    async def freeze(self) -> str:
        """Nothing passes and nobody is told; then it passes all the same, or is cut."""
        proxy, name = self._some_way()
        proxy.frozen = everybody
        await last(self._chance.uniform(0.5, 5.0))
        if self._chance.random() < 0.5:
            proxy.cut()
        proxy.frozen = nobody
        return name

    async def refuse(self) -> str:
        """Cut, and no new ones for a while."""
        proxy, name = self._some_way()
        proxy.refusing = True
        proxy.cut()
        await last(self._chance.uniform(0.3, 2.0))
        proxy.refusing = False
        return name

    # ── the source, and the subscribers ──

    async def misbehave(self) -> str:
        """A few of the network's faults in a row."""
        for _ in range(self._chance.randint(2, 5)):
            surface = self._chance.choice(_SURFACES)
            kind = self._chance.choice(_OF_STREAM if surface == "stream" else _KINDS)
            pause = 0.002 if kind == "slow" else 0.5
            fault = {"kind": kind, "surface": surface, "after": self._chance.randrange(3)}
            await self._world.network("POST", "faults", seconds=pause, **fault)
        await last(1.0)
        await self._world.network("DELETE", "faults")
        return "network"

    async def lag(self) -> str:
        """One of both servers is some ledgers behind."""
        server = self._chance.choice(("horizon", "rpc"))
        await self._world.network("POST", "faults", kind="lag", surface=server, after=5)
        await last(self._chance.uniform(0.5, 2))
        await self._world.network("DELETE", "faults")
        return server

    async def revoke(self) -> str:
        """The token that a client shows just now."""
        holders = [client for client in self._clients if client.asked.holder]
        client = self._chance.choice(holders)
        await self._orders.insist("auth/revoke", {"jti": client.token_name})
        return client.name

    async def flood(self) -> str:
        """Subscribers that read nothing at all."""
        headers = {"Authorization": f"Bearer {self._clients[0].token}"}
        target = "/v1/events/subscribe?all=true&since=1-0"
        if (name := self._one_of(FANOUTS)) is None:
            return ""
        port = self._world.running[name].port
        slow = []
        with suppress(OSError):
            for _ in range(40):
                slow.append(
                    await SseClient.connect(
                        port, target, headers=headers, receive_buffer=2048, stalled=True
                    )
                )
        await last(1.5)
        for each in slow:
            each.close()
        return name
