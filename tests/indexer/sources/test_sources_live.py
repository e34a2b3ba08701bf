"""The process with SOURCE=rpc and SOURCE=auto: switches, quiet contracts, resets, metrics."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from deploy.simulator.chain import accounts
from deploy.simulator.chain.operations import Operation, Proposal
from services.indexer.sources.ledger_range import cursor_before
from shared.journal.keys import Keys
from tests.indexer.installed import Site
from tests.indexer.simulated import NOW, journal, simulated
from tests.indexer.test_process import run_to_exit, stopped
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def site(redis: Redis, redis_url: str, keys: Keys) -> AsyncIterator[Site]:
    async with simulated() as sim:
        yield Site(sim, redis, redis_url, keys)


async def read_all(site: Site) -> None:
    async def there() -> bool:
        return await site.cursor() >= site.sim.tip

    await until(there, seconds=45, what="the tip")


async def checkpoint(site: Site) -> bool:
    return bool(await site.redis.hget(site.keys.progress, "checkpointHash"))


@pytest.mark.parametrize("source", ["rpc", "auto"])
async def test_the_life_of_a_process(site: Site, source: str) -> None:
    async with site.indexer(SOURCE=source) as process:
        await read_all(site)
        parts = ("redis", "store", "source", "clock", "namespace")
        assert await site.until_ready(process) == dict.fromkeys(parts, "ok")
        for _ in range(3):
            site.sim.close()
            await read_all(site)
        await site.heard(process)
        latest = site.sim.network.chain.latest
        metrics = {
            "headrace_indexer_active": 1,
            'headrace_indexer_source{source="rpc"}': 1,
            "headrace_indexer_cursor_ledger": latest.sequence,
            "headrace_indexer_network_ledger": latest.sequence,
            "headrace_indexer_lag_ledgers": 0,
            "headrace_indexer_ledger_closed_seconds": latest.closed_at,
            "headrace_indexer_decode_failures_total": 0,
            "headrace_indexer_dead_letters_total": 0,
            "headrace_indexer_unproved_total": 0,
        }
        assert {name: await site.metric(process, name) for name in metrics} == metrics
        lag = await site.metric(process, "headrace_indexer_lag_seconds")
        assert lag
        assert lag > 1000  # the simulated clock is in the past
        by_type = 'headrace_indexer_events_total{type="stream.created"}'
        assert await site.metric(process, by_type)
        progress = await site.redis.hgetall(site.keys.progress)
        assert progress[b"ledger"] == b"%d" % latest.sequence
        await until(lambda: checkpoint(site), what="a checkpoint")
    await site.is_exact()


async def test_with_a_quiet_contract_livez_and_readyz_are_fine(site: Site) -> None:
    async with site.indexer(SOURCE="rpc", CONTRACTS=accounts.contract_id("nobody")) as process:
        for _ in range(3):
            site.sim.close(2)
            await read_all(site)
            assert await site.cursor() == cursor_before(site.sim.network.chain.latest.sequence + 1)
            await site.until_ready(process)
            assert await site.alive(process)
    assert not await site.redis.exists(site.keys.journal)


_SURFACES = (("getEvents", ["503", "cut", "malformed"]), ("stream", ["429", "503", "504"]))


@pytest.mark.parametrize("seed", range(2))
async def test_a_switch_of_the_process_loses_and_duplicates_nothing(
    redis: Redis, redis_url: str, keys: Keys, seed: int
) -> None:
    chance = random.Random(seed)
    async with simulated(stream_seconds=0.1) as sim:
        site = Site(sim, redis, redis_url, keys)
        async with site.indexer(SOURCE="auto", RECONCILE_SECONDS=0.2) as process:
            await read_all(site)
            for n in range(6):
                surface, kinds = _SURFACES[n % 2]
                await sim.arm(chance.choice(kinds), surface, times=1_000_000)
                for _ in range(chance.randrange(3)):
                    sim.network.submit(Proposal(operations=(Operation(op="emit"),)))
                sim.close(chance.randint(1, 3))
                await until(lambda n=n: len(process.log_lines("source_switched")) == n + 1)
                await sim.ask("DELETE", "faults")
                sim.close()
                await read_all(site)
            turns = [line["to"] for line in process.log_lines("source_switched")]
            assert turns == ["horizon", "rpc"] * 3
            why = 'headrace_indexer_switches_total{to="horizon",why="failing"}'
            assert await site.metric(process, why) == 3
            await site.until_ready(process)
            same = 'headrace_indexer_reconciliations_total{outcome="same"}'
            sim.close(3)
            await read_all(site)
            await until(lambda: site.metric(process, same), what="a comparison")
            assert not process.log_lines("sources_differ")
        await site.is_exact()


@pytest.mark.parametrize("source", ["horizon", "rpc", "auto"])
async def test_another_history_with_the_same_numbers_stops_the_indexer(
    site: Site, source: str
) -> None:
    async with site.indexer(SOURCE=source, LEASE_SECONDS=0.5) as process:
        await site.heard(process)
        await until(lambda: checkpoint(site))
    cursor = await site.cursor()
    site.sim.network.reset(NOW, start_ledger=3_700_000)
    site.sim.close(30)
    async with site.indexer(SOURCE=source) as process:
        await stopped(site, process, "reset", "was ")
    assert await site.cursor() == cursor


@pytest.mark.parametrize("source", ["rpc", "auto"])
async def test_a_wrong_passphrase_of_rpc_stops_the_indexer(site: Site, source: str) -> None:
    await site.sim.arm("passphrase", surface="getNetwork", times=1_000_000)
    async with site.indexer(SOURCE=source) as process:
        await stopped(site, process, "passphrase", "RPC is on network 'Some Other Network")
    assert not await site.redis.exists(site.keys.journal)


async def test_alarm_only_continues_under_an_alarm(site: Site) -> None:
    await site.sim.arm("corrupt_meta", surface="getTransaction", times=1_000_000)
    async with site.indexer(SOURCE="rpc", UNPROVED="alarm") as process:
        await read_all(site)
        await site.until_ready(process)
        assert await site.metric(process, 'headrace_indexer_alarm{kind="unproved"}') == 1
        assert await site.metric(process, "headrace_indexer_unproved_total")
        await until(lambda: process.log_lines("unproved"))
    await site.is_exact()
    bodies = [entry.body for entry in await journal(site.redis, site.keys)]
    assert all(b'"verified":false' in body for body in bodies)


async def test_a_long_backfill_is_logged(redis: Redis, redis_url: str, keys: Keys) -> None:
    async with simulated(ledgers=300, streams=2) as sim:
        site = Site(sim, redis, redis_url, keys)
        async with site.indexer(SOURCE="rpc") as process:
            await until(lambda: process.log_lines("caught_up"), seconds=60)
            [first] = process.log_lines("backfill")[:1]
            assert first["remaining"] > 100
            assert process.log_lines("caught_up")[0]["ledgers"] > 100
            assert not process.noise
            await read_all(site)  # it counts as caught up one ledger below the tip
        await site.is_exact()


@pytest.mark.io
async def test_a_source_needs_its_url() -> None:
    for source in ("rpc", "auto"):
        code, output = await run_to_exit(CONTRACTS=accounts.STREAMS, SOURCE=source)
        assert code == 2
        assert f"SOURCE: {source} needs RPC_URL" in output
