"""Webhooks: deliveries a core, delay, memory at rest, and catching up beside others.

One dispatcher delivers to cheap receivers in another process on loopback. Rates are per second of
the dispatcher's CPU time.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from shared.domain.position import parse_position
from shared.domain.topics import ALL, Subscription
from shared.journal.keys import Keys
from shared.redis.client import connect
from shared.runtime.tasks import cancel
from shared.webhooks.endpoint import Endpoint, SealedSecret
from shared.webhooks.secrets import new_secret
from shared.webhooks.store import EndpointStore, new_endpoint_id
from tests.bench.environment import BenchEnvironment
from tests.bench.processes import Server, milliseconds
from tests.bench.publish import CONTRACT, Publisher, account
from tests.bench.rows import Row, row
from tests.bench.webhook_receiver import Receiver, receiving
from tests.support.processes import running

_NUMBERS = itertools.count()
_LIVE = 20
"""Events a second while delays are measured."""
_AT_ONCE = 200


class Load(NamedTuple):
    """How much is delivered."""

    endpoints: int = 200
    burst: int = 200
    at_rest: int = 10_000
    missed: int = 60_000
    idle_seconds: float = 6.0


@asynccontextmanager
async def dispatching(env: BenchEnvironment) -> AsyncIterator[Server]:
    """One dispatcher that has all partitions."""
    settings = {
        "REDIS_URL": env.redis_url,
        "NAMESPACE": env.keys.namespace,
        "CONTRACTS": f"{CONTRACT}:stream",
        "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    async with running("services.webhooks", **settings) as process:
        await process.ready()
        yield Server(process.pid, process.port)


def _fresh(env: BenchEnvironment) -> BenchEnvironment:
    """The same Redis with a namespace of its own."""
    return replace(env, keys=Keys(f"{env.keys.namespace}-{next(_NUMBERS)}"))


async def _prepared(env: BenchEnvironment) -> Publisher:
    """A publisher whose streams exist, and which has published one event."""
    publisher = env.publisher(100)
    await publisher.prepare()
    await publisher.publish()
    return publisher


async def _add(env: BenchEnvironment, after: str, urls: Sequence[str], **more: Any) -> None:
    """Store endpoints that get all events after a position. Each has an account of its own."""
    redis = connect(env.redis_url, timeout=60)
    store = EndpointStore(redis, env.keys)
    for n, url in enumerate(urls):
        given: dict[str, Any] = {
            "id": new_endpoint_id(),
            "account": account(n),
            "url": url,
            "subscription": Subscription((ALL,)),
            "secrets": (SealedSecret(f"plain:{new_secret()}"),),
            "created": 1_790_000_000,
            "begins_after": parse_position(after),
            "sees_all": True,
        }
        await store.create(Endpoint(**(given | more)), most=1 << 20)
    await redis.aclose()


async def _warm(publisher: Publisher, receiver: Receiver, names: Sequence[str]) -> None:
    """Publish one event, so that each endpoint has a connection."""
    await publisher.publish()
    for name in names:
        await receiver.got(name, 1)


async def _rate(env: BenchEnvironment, receiver: Receiver, load: Load) -> tuple[float, float]:
    """Deliveries for each second of the dispatcher's CPU, and for each second."""
    env, names = _fresh(env), [f"rate{next(_NUMBERS)}" for _ in range(load.endpoints)]
    publisher = await _prepared(env)
    await _add(env, publisher.published[-1], [receiver.url(name) for name in names])
    async with dispatching(env) as server:
        await _warm(publisher, receiver, names)
        cpu, began = server.cpu(), time.monotonic()
        await publisher.publish(load.burst)
        for name in names:
            await receiver.got(name, load.burst)
        cpu, seconds = server.cpu() - cpu, time.monotonic() - began
    await publisher.close()
    return load.endpoints * load.burst / cpu, load.endpoints * load.burst / seconds


async def _delay(env: BenchEnvironment, receiver: Receiver, load: Load) -> tuple[float, float]:
    """The delay from the commit to the receiver in ms, median and p99, at 20 events/s."""
    env, name = _fresh(env), f"delay{next(_NUMBERS)}"
    publisher = await _prepared(env)
    await _add(env, publisher.published[-1], [receiver.url(name)])
    async with dispatching(env):
        await _warm(publisher, receiver, [name])
        await publisher.run(_LIVE, load.idle_seconds)
        delays = await receiver.got(name, round(_LIVE * load.idle_seconds))
    await publisher.close()
    return milliseconds(delays)


async def _memory(env: BenchEnvironment, load: Load) -> float:
    """Megabytes of a dispatcher whose endpoints are at rest: no event is for them."""
    env = _fresh(env)
    publisher = await _prepared(env)
    urls = [f"https://shop-{n}.example/webhooks/headrace?tenant={n}" for n in range(load.at_rest)]
    await _add(env, publisher.published[-1], urls, sees_all=False)
    async with dispatching(env) as server:
        await publisher.run(50, 3)
        used = server.rss() / 1e6
    await publisher.close()
    return used


class CatchUp(NamedTuple):
    """Events a second of a receiver that was away, and the p99 of another one meanwhile, in ms."""

    rate: float
    p99: float


async def _catch_up(env: BenchEnvironment, receiver: Receiver, load: Load, batch: int) -> CatchUp:
    """One endpoint missed many events. Another gets live events at the same time."""
    env, number = _fresh(env), next(_NUMBERS)
    away, other = f"away{number}", f"other{number}"
    publisher = await _prepared(env)
    before = publisher.published[-1]
    for _ in range(load.missed // _AT_ONCE):
        await publisher.publish(_AT_ONCE)
    await _add(env, publisher.published[-1], [receiver.url(other)])
    async with dispatching(env):
        await _warm(publisher, receiver, [other])
        live = asyncio.create_task(publisher.run(_LIVE, 3_600))
        began = time.monotonic()
        await _add(env, before, [receiver.url(away)], batch=batch)
        await receiver.got(away, load.missed, more=True)
        seconds = time.monotonic() - began
        await cancel(live)
        _, p99 = milliseconds((await receiver.numbers(other))["delays"])
    await publisher.close()
    return CatchUp(load.missed / seconds, p99)


async def webhooks(env: BenchEnvironment) -> list[Row]:
    """All numbers of one dispatcher."""
    return await measure(env, Load())


async def measure(env: BenchEnvironment, load: Load) -> list[Row]:
    """The rows of a load."""
    async with receiving() as receiver:
        rates = [await _rate(env, receiver, load) for _ in range(env.runs)]
        delays = [await _delay(env, receiver, load) for _ in range(env.runs)]
        single = [await _catch_up(env, receiver, load, 1) for _ in range(env.runs)]
        batches = [await _catch_up(env, receiver, load, 100) for _ in range(env.runs)]
        memory = [await _memory(env, load)]
    own, clock = zip(*rates, strict=True)
    p50, p99 = zip(*delays, strict=True)
    return [
        row("own", f"deliveries/s, {load.endpoints} endpoints, one core", "/s", own, 3_000,
            better="higher"),
        row("clock", "… by the clock, receivers on the same machine", "/s", clock,
            better="higher"),
        row("p50", "commit → receiver, one endpoint, p50", "ms", p50),
        row("p99", "… p99", "ms", p99, 20),
        *_caught_up("one", f"{load.missed:,} missed events, one at a time", single),
        *_caught_up("batch", f"{load.missed:,} missed events, 100 at a time", batches),
        row("memory", f"{load.at_rest:,} endpoints at rest", "MB", memory, 100),
    ]  # fmt: skip


def _caught_up(key: str, what: str, runs: Sequence[CatchUp]) -> list[Row]:
    rates, p99 = zip(*runs, strict=True)
    return [
        row(key, what, "/s", rates, 1_000, better="higher"),
        row(f"{key}-other", "… p99 of another endpoint meanwhile", "ms", p99),
    ]
