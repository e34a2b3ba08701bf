"""The process and the commands if Horizon has a hole: filled, or published as a gap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest
from redis.asyncio import Redis

from services.indexer.sources import ledger_range as bounds
from services.indexer.sources.base import Batch
from services.indexer.sources.failover.fallback import FallbackSource, batch_up_to
from services.indexer.sources.ledger_range import cursor_before
from shared.chain.errors import FatalSourceError, SourceError
from shared.domain.position import Position, parse_position, toid
from shared.journal.keys import Keys
from tests.indexer.handmade import created, proven, withdrawn
from tests.indexer.installed import Site
from tests.indexer.simulated import Read, journal, of_the_chain, simulated
from tests.indexer.sources.test_sources_live import read_all
from tests.indexer.test_process import stopped
from tests.shared.chain.decode.test_transactions import read
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(60)
FIRST = 3_700_000
HOLE = (FIRST + 4, FIRST + 8)


@pytest.fixture
async def site(redis: Redis, redis_url: str, keys: Keys) -> AsyncIterator[Site]:
    async with simulated(ledgers=20) as sim:
        await sim.arm("hole", first=HOLE[0], last=HOLE[1])
        yield Site(sim, redis, redis_url, keys)


def missing(outcome: str) -> str:
    return f'headrace_indexer_missing_ledgers_total{{outcome="{outcome}"}}'


async def test_a_hole_that_no_source_fills_is_published(site: Site) -> None:
    sim = site.sim
    async with site.indexer(RPC_URL="") as process:
        await site.caught_up()
        assert (await site.until_ready(process))["source"] == "ok"
        text = f"ledgers {HOLE[0]} to {HOLE[1]} are not in the history of Horizon"
        assert text in (await site.notes(process))["gap"]
        assert await site.metric(process, 'headrace_indexer_alarm{kind="gap"}') == 1
        assert await site.metric(process, missing("lost")) == HOLE[1] - HOLE[0] + 1
        assert await site.metric(process, missing("filled")) == 0
        [line] = process.log_lines("gap")
        assert (line["first"], line["last"]) == HOLE
    entries = await journal(site.redis, site.keys)
    [at] = [n for n, each in enumerate(entries) if each.type == "chain.gap"]
    body = orjson.loads(entries[at].body)
    assert parse_position(body["from"]).ledger == HOLE[0] - 1
    assert body["to"] == entries[at].position == f"{cursor_before(HOLE[1] + 1)}-0"
    there = [p for p in sim.positions() if not HOLE[0] <= parse_position(p).ledger <= HOLE[1]]
    expected = [*there, entries[at].position]
    positions = [each.position for each in of_the_chain(entries)]
    assert positions == sorted(expected, key=parse_position)


@pytest.mark.parametrize("source", ["horizon", "auto"])
async def test_a_hole_is_read_from_rpc_in_order(site: Site, source: str) -> None:
    if source == "auto":  # RPC is read only when Horizon cannot continue
        await site.sim.arm("503", surface="getEvents", times=2)
    async with site.indexer(SOURCE=source) as process:
        await read_all(site)
        await site.until_ready(process)
        assert await site.metric(process, missing("lost")) == 0
        if source == "horizon":
            assert await site.metric(process, missing("filled")) == HOLE[1] - HOLE[0] + 1
            await until(lambda: process.log_lines("ledgers_filled"))
        assert not process.log_lines("gap")
    await site.is_exact()


async def test_with_on_gap_stop_the_indexer_stops_before_a_hole(site: Site) -> None:
    async with site.indexer(RPC_URL="", ON_GAP="stop") as process:
        await stopped(site, process, "gap", f"ledgers {HOLE[0]} to {HOLE[1]}")
    assert await site.cursor() == cursor_before(HOLE[0])


async def test_verify_names_ledgers_that_the_source_lacks(site: Site) -> None:
    async with site.indexer(SOURCE="rpc"):
        await read_all(site)
    words = ("verify", "--from", FIRST, "--to", FIRST + 15)
    code, _, stderr = await site.command(*words, SOURCE="horizon", RPC_URL="")
    assert code == 2
    assert f"ledgers {HOLE[0]} to {HOLE[1]} are not in the history" in stderr
    code, _, stderr = await site.command(*words, SOURCE="horizon")
    assert code == 0, stderr


async def test_metas_that_horizon_leaves_out_are_read_from_rpc(site: Site) -> None:
    await site.sim.ask("DELETE", "faults")
    await site.sim.arm("empty_meta", surface="stream", times=1_000_000)
    async with site.indexer(RPC_URL="") as process:
        await stopped(site, process, "meta_missing", "set RPC_URL")
    async with site.indexer():
        await site.caught_up()
    await site.is_exact()


# ── an older database ──


async def test_an_older_database_is_waited_for_while_the_other_source_continues(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "_LAG", 2)
    sim = site.sim
    cursor = cursor_before(sim.network.chain.latest.sequence + 1)
    source = FallbackSource(sim.horizon(), sim.rpc())
    await sim.arm("lag", surface="horizon", after=10)
    with pytest.raises(SourceError, match=r"behind: reset: .* an older database"):
        await anext(source.batches(cursor))
    await sim.arm("trim", surface="rpc", after=1)
    with pytest.raises(SourceError, match=r"behind: reset: .* an older database"):
        await anext(source.batches(cursor_before(sim.network.chain.latest.sequence - 3)))
    await sim.arm("lag", surface="rpc", after=10)
    with pytest.raises(FatalSourceError, match="reset"):
        await anext(source.batches(cursor))


async def test_an_other_source_that_lags_far_behind_does_not_stop_the_indexer(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RPC was reset or has an older database; Horizon continues."""
    monkeypatch.setattr(bounds, "_LAG", 2)
    sim = site.sim
    await sim.arm("lag", surface="rpc", after=19)
    source, found = FallbackSource(sim.horizon(), sim.rpc()), Read(toid(FIRST))
    task = asyncio.create_task(found.up_to(sim.tip, source))
    await until(lambda: task.done() or "behind" in found.kinds, what="a refusal of RPC")
    assert "rpc cannot supply them: reset: read up to ledger" in str(found.errors[-1])
    await sim.arm("lag", surface="rpc", after=0)
    await task
    assert found.positions == sim.positions()


def test_a_batch_is_cut_at_the_end_of_the_hole() -> None:
    first, second = proven(created(), ledger=10), proven(withdrawn(), ledger=11)
    events = read(first, second).events
    dead: list[dict[str, object]] = [
        {"position": str(Position(each.toid, 3))} for each in (first, second)
    ]
    batch = Batch(events, dead, toid(15), 15, "2026-02-02T02:40:00Z", 20)
    cut = batch_up_to(cursor_before(11), batch)
    assert (cut.events, cut.dead) == (events[:1], dead[:1])
    assert (cut.cursor, cut.ledger, cut.closed_at) == (cursor_before(11), 10, None)
    assert batch_up_to(toid(15), batch) is batch
