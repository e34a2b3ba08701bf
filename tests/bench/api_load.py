"""The load that one API process handles on one core: `python -m tests.bench.api_load [case …]`.

Redis and the load generator run on core 0. The API runs on the last core, and for the case `event`
the fanout too. The output has the request rate and the CPU time of the API for each request. The
CPU time stays valid when other programs use the machine.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import uvloop
from redis.asyncio import Redis

from deploy.local import redis as local_redis
from services.api.streams.ids import new_stream_id
from shared.domain.events import Origin
from shared.domain.stream import Stream
from shared.journal.indexes import entries_of
from shared.journal.keys import Keys
from shared.journal.stream_document import encode_stream
from shared.redis.client import connect
from tests.api.samples import RECIPIENT, SENDER, TOKEN, order
from tests.bench.api_client import Client, Request, get, post
from tests.support.processes import ServiceProcess, running
from tests.support.waiting import free_port, until

KEYS = Keys("bench")
SECONDS = 8.0
CONNECTIONS = 32
STREAMS = int(os.environ.get("STREAMS", "1000000"))
T = TypeVar("T")
FIRST_CORE, LAST_CORE = 0, (os.cpu_count() or 1) - 1


def cpu_of(process: ServiceProcess) -> float:
    """The CPU seconds that the process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _identity(value: T) -> T:
    return value


async def load(api: ServiceProcess, what: str, request: Request, connections: int) -> None:
    loop, before = asyncio.get_running_loop(), cpu_of(api)
    started = time.perf_counter()
    clients = [Client(request, started + SECONDS) for _ in range(connections)]
    for client in clients:
        await loop.create_connection(partial(_identity, client), "127.0.0.1", api.port)
    await asyncio.gather(*(client.done for client in clients))
    seconds, cpu = time.perf_counter() - started, cpu_of(api) - before
    latencies = [t for client in clients for t in client.latencies]
    report(what, latencies, rate=len(latencies) / seconds, cpu=cpu / len(latencies))


def report(what: str, latencies: Sequence[float], rate: float, cpu: float | None = None) -> None:
    ordered = sorted(latencies)
    p50, p99 = (ordered[int(len(ordered) * q)] * 1e3 for q in (0.5, 0.99))
    own = f"  {cpu * 1e6:.0f} µs of CPU each = {1 / cpu:,.0f}/s a core" if cpu else ""
    print(f"{what:34} {rate:8,.0f}/s  p50 {p50:6.2f} ms  p99 {p99:6.2f} ms{own}", flush=True)


@asynccontextmanager
async def redis_server() -> AsyncIterator[str]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        process = local_redis.start(port, Path(folder))
        os.sched_setaffinity(process.pid, {FIRST_CORE})
        local_redis.wait_until_up(port, process)
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.kill()
            process.wait()


@asynccontextmanager
async def service(name: str, url: str, **more: object) -> AsyncIterator[ServiceProcess]:
    environment = {"REDIS_URL": url, "CONTRACT_IDS": TOKEN, "NAMESPACE": KEYS.namespace, **more}
    async with running(f"services.{name}", **environment) as process:
        os.sched_setaffinity(process.pid, {LAST_CORE})
        yield process


async def creates(url: str) -> None:
    def with_key() -> bytes:
        return post("/v1/streams", order(), f"Idempotency-Key: {secrets.token_hex(16)}\r\n")

    async with service("api", url) as api:
        plain = post("/v1/streams", order())
        await load(api, "create", lambda: plain, CONNECTIONS)
        await load(api, "create with Idempotency-Key", with_key, CONNECTIONS)


async def reads(url: str) -> None:
    redis = connect(url)
    await fill(redis, 1000)
    (name, *_) = [key async for key in redis.scan_iter(KEYS.stream("*"), count=10)]
    stream_id = name.decode().rpartition(":")[2]
    async with service("api", url) as api:
        await load(api, "read", lambda: get(f"/v1/streams/{stream_id}"), CONNECTIONS)
    await redis.aclose()


async def lists(url: str) -> None:
    redis = connect(url, timeout=60)
    await fill(redis, STREAMS)
    filters = {
        "all": "",
        "status": "&status=active",
        "by change": "&sort=updated",
        "status and user": f"&status=active&user={SENDER}",
        "oldest first": "&order=asc",
    }
    async with service("api", url) as api:
        for name, query in filters.items():
            request = get(f"/v1/streams?limit=50{query}")
            await load(api, f"list 50 of {STREAMS:,}: {name}", partial(_identity, request), 1)
        await load(api, "history 50: user", lambda: get(f"/v1/events?users={SENDER}&limit=50"), 1)
    await redis.aclose()


async def fill(redis: Redis, count: int) -> None:
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
            pipe.set(KEYS.stream(stream.id), encode_stream(placed, when))
            for (index, member), score in entries_of(stream).items():
                sets.setdefault(index, {})[member] = score
        for index, members in sets.items():
            pipe.zadd(KEYS.index(index), members)
        await pipe.execute()
        print(f"\rfilled {start + 2000:,} of {count:,}", end="", file=sys.stderr)
    print(file=sys.stderr)


async def events(url: str) -> None:
    """The time from a POST until a subscriber receives the event, at 200 creates a second."""
    async with service("api", url) as api, service("fanout", url) as fanout:
        await fanout.ready()
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
        loop, count = asyncio.get_running_loop(), int(200 * SECONDS)

        def send(n: int) -> None:
            sent[f"bench-{n}"] = time.perf_counter()
            body = order(metadata={"label": f"bench-{n}"})
            pool[n % 20][1].write(post("/v1/streams", body))

        started = time.perf_counter()
        for n in range(count):
            loop.call_at(loop.time() + n / 200, send, n)
        await until(lambda: len(latencies) == count, seconds=SECONDS + 5, what="all events")
        listening.cancel()
        report("POST → event", latencies, rate=len(latencies) / (time.perf_counter() - started))


CASES = {"creates": creates, "reads": reads, "event": events, "list": lists}


async def main() -> None:
    os.sched_setaffinity(0, {FIRST_CORE})
    for name in sys.argv[1:] or CASES:
        async with redis_server() as url:
            await CASES[name](url)


if __name__ == "__main__":
    uvloop.run(main())
