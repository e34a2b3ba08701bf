"""A server that has just started sends 0: nothing is known yet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from redis.asyncio import Redis

from services.indexer.ingest.network_reset import Checkpoint
from services.indexer.sources.failover.source import FailoverSource
from services.indexer.sources.rpc.source import RpcSource
from shared.chain.errors import SourceError
from shared.chain.rpc import RpcClient
from shared.domain.position import toid
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from tests.indexer.handmade import CONTRACTS
from tests.indexer.installed import Site
from tests.indexer.simulated import PASSPHRASE, Read, Sim, simulated
from tests.support.waiting import until
from tests.support.web import serving

pytestmark = pytest.mark.timeout(60)
EVER = 1_000_000


@pytest.fixture
async def sim() -> AsyncIterator[Sim]:
    async with simulated() as made:
        yield made


@pytest.mark.parametrize("where", ["latest", "earliest", "3700004"])
async def test_horizon_without_a_ledger_gives_no_start(sim: Sim, where: str) -> None:
    await sim.arm("starting", surface="root", times=2)
    source = sim.horizon()
    for _ in range(2):
        with pytest.raises(SourceError, match=r"no_ledger: Horizon has no ledger yet: .* is 0"):
            await source.start(where)
    assert await source.start(where) >= toid(3_700_000)


async def test_the_indexer_waits_for_a_restarting_horizon(sim: Sim) -> None:
    await sim.arm("starting", surface="root", times=3)
    read = await Read(toid(3_700_000)).up_to(sim.tip, sim.horizon())
    assert read.positions == sim.positions()
    assert read.kinds == ["no_ledger"] * 3


async def test_a_restarting_horizon_gives_no_hash(sim: Sim) -> None:
    source, latest = sim.horizon(), sim.network.chain.latest
    for question in (source.ledgers(), source.latest_hash()):
        await sim.arm("starting", surface="root")
        with pytest.raises(SourceError, match="no_ledger"):
            await question
    assert await source.hash_of(latest.sequence) == latest.hash
    await sim.arm("starting", surface="root")
    with pytest.raises(SourceError, match="no_ledger"):  # None would mean: missing
        await source.hash_of(latest.sequence + 9)
    assert await source.hash_of(latest.sequence + 9) is None


async def test_a_checkpoint_is_compared_when_the_source_knows_its_ledgers(
    sim: Sim, redis: Redis, keys: Keys
) -> None:
    """Otherwise a new checkpoint would hide that the network was reset."""
    stored: dict[Any, Any] = {"checkpointLedger": "3700900", "checkpointHash": "ab" * 32}
    await redis.hset(keys.progress, mapping=stored)
    made = Checkpoint(redis, keys, Committer(redis, keys), seconds=60)
    await sim.arm("starting", surface="root")
    with pytest.raises(SourceError, match="no_ledger"):
        await made.compare(sim.horizon())


async def test_auto_begins_with_the_source_that_has_ledgers(sim: Sim) -> None:
    await sim.arm("starting", surface="root", times=EVER)
    source = FailoverSource(sim.horizon(), sim.rpc(), look_seconds=0.05)
    assert await source.start("latest") == toid(sim.network.chain.latest.sequence + 1)
    read = await Read(toid(3_700_000)).up_to(sim.tip, source)
    assert read.positions == sim.positions()
    assert source.name == "rpc"


@asynccontextmanager
async def rpc(health: dict[str, object], refusal: str) -> AsyncIterator[RpcSource]:
    """Stellar RPC with these ledgers, which a test may change, and with this text of errors."""

    async def answer(request: web.Request) -> web.Response:
        method = orjson.loads(await request.read())["method"]
        told = {"getNetwork": {"passphrase": PASSPHRASE}, "getHealth": health}
        told["getVersionInfo"] = {"version": "30.0.0"}
        told["getLatestLedger"] = {"sequence": health["latestLedger"], "id": "ab" * 32}
        if method == "getEvents":
            error = {"code": -32600, "message": refusal.format_map(health)}
            return web.json_response({"jsonrpc": "2.0", "id": 1, "error": error})
        return web.json_response({"jsonrpc": "2.0", "id": 1, "result": told[method]})

    async with serving(web.post("/", answer)) as port, aiohttp.ClientSession() as session:
        yield RpcSource(
            RpcClient(session, f"http://127.0.0.1:{port}/"),
            passphrase=PASSPHRASE,
            contracts=CONTRACTS,
            poll_seconds=0.05,
        )


RANGE = "startLedger must be within the ledger range: {oldestLedger} - {latestLedger}"


@pytest.mark.io
@pytest.mark.parametrize("refusal", [RANGE, "there is no such ledger"], ids=["named", "unnamed"])
async def test_rpc_without_a_ledger_gives_no_start_and_no_reset(refusal: str) -> None:
    health: dict[str, object] = {"oldestLedger": 0, "latestLedger": 0}
    async with rpc(health, refusal) as source:
        for question in (
            source.start("latest"),
            source.start("earliest"),
            source.ledgers(),
            source.latest_hash(),
            source.hash_of(5),
            anext(source.batches(toid(3_700_000))),
        ):
            with pytest.raises(SourceError, match="no_ledger: RPC has no ledger yet"):
                await question
        health |= {"oldestLedger": 5, "latestLedger": 9}
        assert await source.start("latest") == toid(10)


async def test_the_process_waits_and_readiness_says_why(
    redis: Redis, redis_url: str, keys: Keys
) -> None:
    async with simulated() as sim:
        site = Site(sim, redis, redis_url, keys)
        await sim.arm("starting", surface="root", times=EVER)
        async with site.indexer(START="latest", RPC_URL="") as process:

            async def waits() -> bool:
                _, parts = await site.ready(process)
                return "has no ledger yet" in parts["source"]

            await until(waits, seconds=15, what="readiness that says why")
            assert not await redis.exists(keys.progress)
            await sim.ask("DELETE", "faults")
            await site.until_ready(process)
            begun = await site.cursor()
            assert begun == toid(sim.network.chain.latest.sequence + 1)
            sim.close(3)
            await site.caught_up()
            await sim.arm("starting", surface="root", times=3)  # Horizon restarts again
            await sim.arm("drop", surface="stream")
            sim.close(3)
            await site.caught_up()
            await site.until_ready(process)
            assert not process.log_lines("gap")
            lost = 'headrace_indexer_missing_ledgers_total{outcome="lost"}'
            assert await site.metric(process, lost) == 0
