"""The whole system as processes, with a proxy on every connection between two of them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
from redis.exceptions import RedisError

from shared.domain.position import START, Position, parse_position
from shared.journal.keys import Keys
from tests.chaos.archive import ARCHIVERS, ChaosArchive, chaos_archive
from tests.chaos.clocks import Clock, forget
from tests.chaos.insist import insist
from tests.chaos.lost import LostData
from tests.chaos.redis_single import RedisParts, RedisSingle
from tests.chaos.settings import COMMON, NAMESPACE, sources_of
from tests.chaos.webhooks import DISPATCHERS, RECEIVERS, ChaosWebhooks
from tests.deploy.gateways import installed_kinds, local_gateway
from tests.support.processes import NotListening, ServiceProcess, start
from tests.support.tcp_proxy import TcpProxy, no_link
from tests.support.waiting import until

INDEXERS = ("indexer-1", "indexer-2")
FANOUTS = ("fanout-1", "fanout-2")
APIS = ("api-1", "api-2")
SERVICES = (*INDEXERS, *FANOUTS, *APIS)
_START = 100.0
"""Seconds within which a service must listen, also on a busy machine."""
_WAYS = (
    *((each, "network") for each in INDEXERS),
    *(("clients", each) for each in (*FANOUTS, *APIS)),
)
"""The connections between parts, without those to Redis."""

KEYS = Keys(NAMESPACE)

MakeRedis = Callable[[Path, tuple[str, ...]], RedisParts]
"""Makes a kind of Redis from a folder and the names of the services."""


class World:
    """The running parts by name, and the proxies between them."""

    def __init__(
        self,
        folder: Path,
        redis: RedisParts,
        seed: int,
        environment: Mapping[str, str],
        *,
        archive: ChaosArchive | None = None,
        webhooks: ChaosWebhooks | None = None,
    ) -> None:
        self.names = _names(archive, webhooks)
        self.archive = archive
        self.webhooks = webhooks
        self.server = redis
        self.redis = redis.client
        self.proxies = {(name, "redis"): proxy for name, proxy in redis.proxies.items()}
        self.proxies |= {way: TcpProxy(0) for way in _WAYS}
        self.proxies |= archive.proxies if archive else {}
        self.proxies |= webhooks.proxies if webhooks else {}
        self.clocks = {name: Clock(folder / f"{name}.clock") for name in self.names}
        self.running: dict[str, ServiceProcess] = {}
        self._all: list[ServiceProcess] = []
        self._ours = AsyncExitStack()
        self.restarts: set[asyncio.Task[None]] = set()
        self.lost = LostData()
        self.began = START
        self.gateways: dict[str, int] = {}
        self.sources = sources_of(environment)
        self._folder = folder
        self._seed = seed
        self._environment = environment

    async def begin(self) -> None:
        """Start all parts. Returns when they are ready."""
        timeout = aiohttp.ClientTimeout(total=5)
        self.session = await self._ours.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        await self.server.start()
        for proxy in self.proxies.values():
            await self._ours.enter_async_context(proxy)
        life = {"CLOSE_SECONDS": 0.3, "STREAM_SECONDS": 4, "SEED": f"chaos/{self._seed}"}
        await self._arrive("network", await start("deploy.simulator", **life), _START)
        await asyncio.gather(*map(self.start, self.names))
        if webhooks := self.webhooks:
            await asyncio.gather(*map(self.start, RECEIVERS))
            await insist(lambda: webhooks.begin(self.redis, KEYS))
        for each in (*FANOUTS, *APIS):
            await until(lambda name=each: self.ready(name), seconds=90, what=f"{each} is ready")
        await insist(self.where_it_began)
        fanouts, api = ([self._door(name) for name in names] for names in (FANOUTS, APIS))
        for kind in installed_kinds():
            gateway = local_gateway(kind, self._folder / kind, fanouts, api[0])
            self.gateways[kind] = (await self._ours.enter_async_context(gateway)).port

    def _door(self, name: str) -> str:
        return f"127.0.0.1:{self.proxies['clients', name].port}"

    async def end(self) -> None:
        """Stop all parts, whatever their state."""
        for task in self.restarts:
            task.cancel()
        await asyncio.gather(*self.restarts, return_exceptions=True)
        for process in self._all:
            with suppress(ProcessLookupError):
                process.signal(signal.SIGKILL)
        await asyncio.gather(*(process.ended() for process in self._all))
        for process in self._all:
            forget(process.pid)
        await self._ours.aclose()
        await self.server.close()

    # ── the services ──

    async def start(self, name: str) -> None:
        """Start one service or receiver, and point the proxies to it."""
        if self.webhooks and name in RECEIVERS:
            await self._arrive(name, await self.webhooks.start(name), _START)
            return
        module = f"services.{name.partition('-')[0]}"
        environment: dict[str, Any] = self.environment(name) | {"SERVICE": module}
        environment |= self.clocks[name].environment | {"REDIS_URL": self.server.url_for(name)}
        environment |= {"FEED_REDIS_URL": self.server.feed_url}
        if name in INDEXERS:
            source = f"http://127.0.0.1:{self.proxies[name, 'network'].port}"
            environment = {"HORIZON_URL": source, "RPC_URL": f"{source}/rpc"} | environment
        if environment.get("MUTATION"):
            module = "tests.chaos.mutants"
        try:
            await self._arrive(name, await start(module, **environment), _START)
        except NotListening as error:
            # With libfaketime 0.9.10 some processes hang before their first line of the log.
            # Without it this was never seen.
            if not self.clocks[name].environment:
                raise
            print(f"{name} did not start, trying again: {error}")
            await self._arrive(name, await start(module, **environment), _START)

    def environment(self, name: str) -> dict[str, Any]:
        """The settings of a service, without the URLs of Redis and of the sources."""
        archived = self.archive.environment(name) if self.archive else {}
        return {**COMMON, **archived, **self._environment}

    async def _arrive(self, name: str, process: ServiceProcess, seconds: float) -> None:
        self._all.append(process)
        await process.listening(seconds)
        self.running[name] = process
        for (_, to), proxy in self.proxies.items():
            if to == name:
                proxy.target = self.running[name].port

    def stop(self, name: str, number: int) -> Awaitable[int]:
        """Send a signal that ends it. It counts as stopped at once. Await that it has ended."""
        process = self.running.pop(name)
        process.signal(number)
        return process.ended()

    def restart_soon(self, name: str) -> None:
        """Start it again in the background, as an orchestrator does."""
        self.restarts.add(asyncio.create_task(self.start(name)))

    async def restarted(self) -> None:
        """Wait until all restarts are done."""
        while self.restarts:
            task = self.restarts.pop()
            await task

    async def ready(self, name: str) -> bool:
        """True if /readyz is 200."""
        url = f"http://127.0.0.1:{self.running[name].port}/readyz"
        try:
            async with self.session.get(url) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def where_it_began(self) -> Position:
        """The position before the first entry of the current journal."""
        stored: Any = await self.redis.hget(KEYS.progress, "began")
        if stored:
            self.began = parse_position(stored.decode())
        return self.began

    async def active(self) -> str | None:
        """The indexer that holds the lease; None if it is not known."""
        try:
            stored: Any = await self.redis.get(KEYS.lease)
            holder = str(stored or b"", "ascii")
        except RedisError:
            return None
        for name in INDEXERS:
            process = self.running.get(name)
            if process and any(line["token"] == holder for line in process.log_lines("active")):
                return name
        return None

    async def network(self, method: str, path: str, **body: object) -> Any:
        """Call the control API of the simulated network. No fault affects this call."""
        url = f"http://127.0.0.1:{self.running['network'].port}/sim/{path}"
        long = aiohttp.ClientTimeout(total=120)  # the events of an hour are many
        async with self.session.request(method, url, json=body or None, timeout=long) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def held(self) -> list[dict[str, Any]]:
        """All events of the ledger, in order."""
        events: list[dict[str, Any]] = (await self.network("GET", "events"))["events"]
        return events

    async def heal(self) -> None:
        """End all faults of proxies and of the network."""
        for proxy in self.proxies.values():
            proxy.frozen, proxy.delay, proxy.rate, proxy.refusing = no_link, 0.0, 0, False
        await self.network("DELETE", "faults")


def _names(archive: ChaosArchive | None, webhooks: ChaosWebhooks | None) -> tuple[str, ...]:
    """The services of a world."""
    return (*SERVICES, *(ARCHIVERS if archive else ()), *(DISPATCHERS if webhooks else ()))


@asynccontextmanager
async def world(
    folder: Path,
    seed: int,
    redis: MakeRedis = RedisSingle,
    archive: str = "",
    webhooks: bool = False,
    **environment: str,
) -> AsyncIterator[World]:
    """A world that is ready. `archive` is `file`, `s3` or empty: then there is none.

    With `webhooks`, there are dispatchers and receivers. The world ends with the context.
    """
    async with AsyncExitStack() as stack:
        kept = stack.enter_context(chaos_archive(folder, archive)) if archive else None
        told = ChaosWebhooks(folder) if webhooks else None
        server = redis(folder, _names(kept, told))
        world_ = World(folder, server, seed, environment, archive=kept, webhooks=told)
        stack.push_async_callback(world_.end)
        await world_.begin()
        yield world_
