"""The indexer: decoding speed, speed from a source to the journal, delay, and CPU while idle."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import aiohttp
import orjson
from redis.asyncio import Redis
from stellar_sdk import scval

from deploy.simulator.chain import accounts
from services.indexer.sources.horizon.sse_parser import HorizonFrameParser
from services.indexer.sources.rpc.pages import group_by_transaction, parse_page
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.decode.records import HorizonTransaction, parse_record
from shared.chain.decode.transactions import DecodedEvents, decode_events, decode_transaction
from shared.chain.http import parse_object
from shared.domain.position import START
from shared.redis.client import connect
from shared.web import server as serve
from tests.bench import processes
from tests.bench.environment import BenchEnvironment
from tests.bench.ledger import PASSPHRASE, PreparedLedger, toid_of
from tests.bench.processes import Server, milliseconds
from tests.bench.rows import Row, row
from tests.support.waiting import free_port

_TRANSACTIONS = 20_000
_CONTRACTS = WatchedContracts.of(accounts.STREAMS)


async def decode(_: BenchEnvironment) -> list[Row]:
    """Decode pages of both sources in this process, without a network."""
    ledger = PreparedLedger(2_000)
    listed = list(map(orjson.loads, islice(ledger.events_from(0), 1000)))
    tip = {"latestLedger": ledger.latest, "latestLedgerCloseTime": "1770000000"}
    page = orjson.dumps({"events": listed, "cursor": listed[-1]["id"]} | tip)
    stream = b"".join(map(ledger.frame, range(200)))

    def decode_rpc() -> int:
        decoded = DecodedEvents()
        events = parse_page(orjson.loads(page), _CONTRACTS, START).events
        for each in group_by_transaction(events):
            parts = (each.toid, each.hash, each.toid >> 32, each.closed_at, True)
            record = HorizonTransaction(*parts, b"", b"", None)
            decoded.extend(decode_events(record, _CONTRACTS, each.raw_events))
        return len(decoded.events)

    def decode_horizon() -> int:
        decoded = DecodedEvents()
        for frame in HorizonFrameParser().feed(stream):
            record = parse_record(parse_object(frame.data))
            decoded.extend(decode_transaction(record, _CONTRACTS))
        return len(decoded.events)

    def decode_with_sdk() -> int:
        for event in listed[:100]:
            for text in (*event["topic"], event["value"]):
                scval.to_native(text)
        return 100

    return [
        row("rpc", "decode a page of getEvents", "/s", _rates(decode_rpc), 40_000, better="higher"),
        row("sdk", "… stellar-sdk, topics and values alone", "/s", _rates(decode_with_sdk)),
        row(
            "horizon",
            "decode Horizon's frames",
            "/s",
            _rates(decode_horizon),
            25_000,
            better="higher",
        ),
    ]


def _rates(work: Callable[[], int]) -> list[float]:
    """Events per second of CPU in five groups of runs, the best run of each group.

    The garbage collector is tuned as in a service.
    """
    serve.tune_gc()
    return [max(_rate(work) for _ in range(5)) for _ in range(5)]


def _rate(work: Callable[[], int]) -> float:
    began = time.process_time()
    count = work()
    return count / (time.process_time() - began)


async def ingest(env: BenchEnvironment) -> list[Row]:
    """A backfill: the source has all transactions, and the indexer reads them into the journal."""
    port = free_port()
    words = [sys.executable, "-m", "tests.bench.ledger_server", "--port", str(port)]
    rows = []
    with processes.command(*words, "--transactions", str(_TRANSACTIONS), port=port):
        for source in ("horizon", "rpc"):
            keys = type(env.keys)(f"{env.keys.namespace}-{source}")
            redis = connect(env.redis_url)
            with indexer(env, port, NAMESPACE=keys.namespace, SOURCE=source) as server:
                first = await _wait_for_cursor(redis, keys.progress, 0)
                began, cpu = time.monotonic(), server.cpu()
                before = await redis.xlen(keys.journal)
                await _wait_for_cursor(redis, keys.progress, toid_of(_TRANSACTIONS - 1))
                seconds, used = time.monotonic() - began, server.cpu() - cpu
                count = await redis.xlen(keys.journal) - before
            await redis.aclose()
            assert first
            what = f"{source} → journal, {_TRANSACTIONS} transactions"
            rows.append(row(source, what, "/s", [count / seconds], 8000, better="higher"))
            rate = [count / used]
            rows.append(row(f"{source}-cpu", "… a second of CPU", "/s", rate, better="higher"))
    return rows


async def _wait_for_cursor(redis: Redis, key: str, target: int) -> int:
    """Wait until the cursor reaches `target`. Return the cursor."""
    while True:
        cursor = int(await redis.hget(key, "cursor") or 0)
        if cursor and cursor >= target:
            return cursor
        await asyncio.sleep(0.01)


async def freshness(env: BenchEnvironment) -> list[Row]:
    """The delay from the close of a ledger to the journal, by the clock of Redis."""
    rows = []
    for source, poll in (("horizon", 1.0), ("rpc", 1.0)):
        keys = type(env.keys)(f"{env.keys.namespace}-{source}")
        settings = {"NAMESPACE": keys.namespace, "SOURCE": source, "RPC_POLL_SECONDS": poll}
        with _network() as network, indexer(env, network.port, **settings):
            delays = await _delays(env, keys.journal, network.port)
        p50, p99 = milliseconds(delays)
        rows.append(row(f"{source}-p50", f"close → journal, {source}, p50", "ms", [p50]))
        rows.append(row(f"{source}-p99", "… p99", "ms", [p99], 1000))
    return rows


async def _delays(env: BenchEnvironment, journal: str, port: int) -> list[float]:
    delays = []
    redis = connect(env.redis_url)
    async with aiohttp.ClientSession() as session:

        async def sim(path: str, body: object) -> None:
            async with session.post(f"http://127.0.0.1:{port}/sim/{path}", json=body) as answer:
                assert answer.status == 200

        for n in range(60):
            before = await redis.xlen(journal)
            await sim("operations", {"operations": [{"op": "emit"}]})
            closed = time.time()
            await sim("close", {"now": 1_770_000_000 + n})
            while await redis.xlen(journal) == before:  # noqa: ASYNC110 - it polls Redis
                await asyncio.sleep(0.002)
            rows: Any = await redis.xrevrange(journal, count=1)
            fields = rows[0][1]
            delays.append(orjson.loads(fields[b"b"])["publishedAt"] / 1e6 - closed)
            await asyncio.sleep(0.13)
    await redis.aclose()
    return delays[5:]


async def idle(env: BenchEnvironment) -> list[Row]:
    """CPU while a ledger with one unrelated payment closes every five seconds."""
    rows = []
    for source in ("horizon", "rpc"):
        namespace = f"{env.keys.namespace}-{source}"
        with (
            _network(CLOSE_SECONDS="5", STREAMS="0") as network,
            indexer(env, network.port, NAMESPACE=namespace, SOURCE=source) as server,
        ):
            await asyncio.sleep(5)
            cpu, began = server.cpu(), time.monotonic()
            await asyncio.sleep(30)
            used = (server.cpu() - cpu) / (time.monotonic() - began)
        rows.append(row(source, f"CPU idle, {source}", "% of a core", [used * 100], 2))
    return rows


@contextmanager
def indexer(env: BenchEnvironment, source_port: int, **settings: object) -> Iterator[Server]:
    """An indexer that reads from the beginning. `source_port`: the port of both sources."""
    port = free_port()
    own: dict[str, object] = {
        "REDIS_URL": env.redis_url,
        "HORIZON_URL": f"http://127.0.0.1:{source_port}",
        "RPC_URL": f"http://127.0.0.1:{source_port}/rpc",
        "CONTRACTS": accounts.STREAMS,
        "NETWORK_PASSPHRASE": PASSPHRASE,
        "START": "earliest",
        "PORT": port,
        "LOG_LEVEL": "error",
    }
    with (
        _environment(own | settings),
        processes.command(sys.executable, "-m", "services.indexer", port=port) as server,
    ):
        yield server


@contextmanager
def _network(**settings: object) -> Iterator[Server]:
    port = free_port()
    own = {"PORT": port, "CLOSE_SECONDS": 0, "STREAMS": 0}
    with (
        _environment(own | settings),
        processes.command(sys.executable, "-m", "deploy.simulator", port=port) as server,
    ):
        yield server


@contextmanager
def _environment(values: dict[str, object]) -> Iterator[None]:
    """Environment variables for the processes that start inside the block."""
    before = dict(os.environ)
    os.environ.update({name: str(value) for name, value in values.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
