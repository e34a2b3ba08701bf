"""The load that one API process handles on one core.

Redis and the load generator run on core 0. The API runs on the last core, and for the case `event`
the fanout too. Rates are per second of the API's CPU time, which stays valid when other programs
use the machine.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar

from redis.asyncio import Redis

from services.api.streams.ids import new_stream_id
from shared.domain.events import Origin
from shared.domain.stream import Stream
from shared.journal.indexes import entries_of
from shared.journal.keys import Keys
from shared.journal.stream_document import encode_stream
from shared.redis.client import connect
from tests.api.samples import RECIPIENT, SENDER, TOKEN, order
from tests.bench.api_client import Client, Request, get, post
from tests.bench.environment import BenchEnvironment
from tests.bench.processes import Server, milliseconds
from tests.bench.rows import Row, row
from tests.support.processes import ServiceProcess, running
from tests.support.waiting import until

SECONDS = 4.0
CONNECTIONS = 32
EVENTS_PER_SECOND = 200
STREAMS = int(os.environ.get("STREAMS", "1000000"))
T = TypeVar("T")
FIRST_CORE, LAST_CORE = 0, (os.cpu_count() or 1) - 1


class Load(NamedTuple):
    """Requests a second of the API's CPU, requests a second, and the latency in ms."""

    own: float
    rate: float
    p50: float
    p99: float


def _identity(value: T) -> T:
    return value


async def load(api: ServiceProcess, request: Request, connections: int) -> Load:
    """Send requests on all connections for SECONDS, one at a time on each."""
    loop, server = asyncio.get_running_loop(), Server(api.pid, api.port)
    before, started = server.cpu(), time.perf_counter()
    clients = [Client(request, started + SECONDS) for _ in range(connections)]
    for client in clients:
        await loop.create_connection(partial(_identity, client), "127.0.0.1", api.port)
    await asyncio.gather(*(client.done for client in clients))
    seconds, cpu = time.perf_counter() - started, server.cpu() - before
    latencies = [t for client in clients for t in client.latencies]
    return Load(len(latencies) / cpu, len(latencies) / seconds, *milliseconds(latencies))


@asynccontextmanager
async def pinned(env: BenchEnvironment) -> AsyncIterator[Redis]:
    """Redis and this process on the first core. Yields a client of Redis."""
    redis, cores = connect(env.redis_url, timeout=60), os.sched_getaffinity(0)
    os.sched_setaffinity((await redis.info("server"))["process_id"], {FIRST_CORE})
    os.sched_setaffinity(0, {FIRST_CORE})
    try:
        yield redis
    finally:
        os.sched_setaffinity(0, cores)
        await redis.aclose()


@asynccontextmanager
async def service(env: BenchEnvironment, name: str) -> AsyncIterator[ServiceProcess]:
    """A service on the last core."""
    namespace = env.keys.namespace
    settings = {"REDIS_URL": env.redis_url, "CONTRACT_IDS": TOKEN, "NAMESPACE": namespace}
    async with running(f"services.{name}", **settings) as process:
        os.sched_setaffinity(process.pid, {LAST_CORE})
        yield process


async def creates(env: BenchEnvironment) -> list[Row]:
    """Creates of streams, without and with an Idempotency-Key."""

    def with_key() -> bytes:
        return post("/v1/streams", order(), f"Idempotency-Key: {secrets.token_hex(16)}\r\n")

    plain = post("/v1/streams", order())
    async with pinned(env), service(env, "api") as api:
        without = [await load(api, lambda: plain, CONNECTIONS) for _ in range(env.runs)]
        keyed = [await load(api, with_key, CONNECTIONS) for _ in range(env.runs)]
    return [
        *_rates("creates", "creates of streams, a core of the API", without, 2500),
        *_rates("keyed", "creates with an Idempotency-Key, a core of the API", keyed, 2500),
    ]


def _rates(key: str, what: str, loads: list[Load], goal: float) -> list[Row]:
    own, rate, _, p99 = zip(*loads, strict=True)
    return [
        row(key, what, "/s", own, goal, better="higher"),
        row(f"{key}-clock", "… by the clock", "/s", rate, better="higher"),
        row(f"{key}-p99", f"… p99 with {CONNECTIONS} connections", "ms", p99),
    ]


async def reads(env: BenchEnvironment) -> list[Row]:
    """Reads of one stream of a thousand."""
    async with pinned(env) as redis:
        await fill(redis, env.keys, 1000)
        (name, *_) = [key async for key in redis.scan_iter(env.keys.stream("*"), count=10)]
        request = get(f"/v1/streams/{name.decode().rpartition(':')[2]}")
        async with service(env, "api") as api:
            loads = [await load(api, lambda: request, CONNECTIONS) for _ in range(env.runs)]
    return _rates("reads", "reads of one stream, a core of the API", loads, 6000)


async def lists(env: BenchEnvironment) -> list[Row]:
    """Pages of 50 of a million streams, one request at a time."""
    paths = {
        "all": "streams?limit=50",
        "status": "streams?limit=50&status=active",
        "by change": "streams?limit=50&sort=updated",
        "status and user": f"streams?limit=50&status=active&user={SENDER}",
        "oldest first": "streams?limit=50&order=asc",
        "by change, token and user": f"streams?limit=50&sort=updated&token={TOKEN}&user={SENDER}",
        "no index and no match": "streams?limit=50&acceptance=pending",
    }
    rows = []
    async with pinned(env) as redis:
        await fill(redis, env.keys, STREAMS)
        async with service(env, "api") as api:
            for name, path in paths.items():
                request = partial(get, f"/v1/{path}")
                p99 = [(await load(api, request, 1)).p99 for _ in range(env.runs)]
                rows.append(row(name, f"a page of 50 of {STREAMS:,}: {name}, p99", "ms", p99, 8))
    return rows


async def fill(redis: Redis, keys: Keys, count: int) -> None:
    """Store streams and their index entries as the commit does, without events."""
    first = 1_770_000_000
    for start in range(0, count, 2000):
        pipe = redis.pipeline(transaction=False)
        sets: dict[str, dict[str, int]] = {}
        for n in range(start, min(count, start + 2000)):
            when = first + n // 100
            stream = Stream(
                id=new_stream_id(when), origin=Origin.API, contract_id=None, sender=SENDER,
                recipient=RECIPIENT, token=TOKEN, rate=10, deposited=10**12, start_time=when,
                last_update_time=when, created_at=when, updated_at=when,
            )  # fmt: skip
            placed = replace(stream, position=f"0-{n + 1}")
            pipe.set(keys.stream(stream.id), encode_stream(placed, when))
            for (index, member), score in entries_of(stream).items():
                sets.setdefault(index, {})[member] = score
        for index, members in sets.items():
            pipe.zadd(keys.index(index), members)
        await pipe.execute()


async def events(env: BenchEnvironment) -> list[Row]:
    """The time from a POST until a subscriber receives the event, at 200 creates a second."""
    async with pinned(env), service(env, "api") as api, service(env, "fanout") as fanout:
        await fanout.ready()
        delays = [await _post_to_event(api, fanout) for _ in range(env.runs)]
    p50, p99 = zip(*delays, strict=True)
    return [
        row("p50", "POST → event at a subscriber, 200 creates/s, p50", "ms", p50),
        row("p99", "… p99", "ms", p99, 10),
    ]


async def _post_to_event(api: ServiceProcess, fanout: ServiceProcess) -> tuple[float, float]:
    """The median and the 99th percentile in ms."""
    reader, writer = await asyncio.open_connection("127.0.0.1", fanout.port, limit=1 << 22)
    writer.write(get("/v1/events/subscribe?all=true"))
    sent: dict[str, float] = {}
    connected: list[bytes] = []
    latencies: list[float] = []

    async def listen() -> None:
        while line := await reader.readline():
            if b'"connected"' in line:
                connected.append(line)
            start = line.find(b'"label":"bench-')
            if line.startswith(b"data: ") and start > 0:
                label = line[start + 9 : line.index(b'"', start + 9)].decode()
                latencies.append(time.perf_counter() - sent[label])

    listening = asyncio.create_task(listen())
    await until(lambda: connected, what="the subscription")
    pool = [await asyncio.open_connection("127.0.0.1", api.port) for _ in range(20)]
    loop, count = asyncio.get_running_loop(), int(EVENTS_PER_SECOND * SECONDS)

    def send(n: int) -> None:
        sent[f"bench-{n}"] = time.perf_counter()
        pool[n % 20][1].write(post("/v1/streams", order(metadata={"label": f"bench-{n}"})))

    for n in range(count):
        loop.call_at(loop.time() + n / EVENTS_PER_SECOND, send, n)
    await until(lambda: len(latencies) == count, seconds=SECONDS + 5, what="all events")
    listening.cancel()
    for _, each in [*pool, (reader, writer)]:
        each.close()
    return milliseconds(latencies)
