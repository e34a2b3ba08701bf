"""The pitfalls of the sources, one test each. The tests of each module have more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise

import pytest
from redis.asyncio import Redis

from deploy.simulator.chain import accounts
from deploy.simulator.chain.operations import Operation, Proposal
from services.indexer.sources.base import Source, SourceGapError
from services.indexer.sources.ledger_range import cursor_before
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.errors import FatalSourceError, SourceError
from shared.domain.position import parse_position, toid
from shared.journal.keys import Keys
from tests.indexer.installed import Site
from tests.indexer.simulated import NOW, Read, Sim, journal, simulated
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(60)
START = toid(3_700_000)
BOTH = pytest.mark.parametrize("name", ["horizon", "rpc"])


@pytest.fixture
async def sim() -> AsyncIterator[Sim]:
    async with simulated() as made:
        yield made


def source(sim: Sim, name: str) -> Source:
    return sim.rpc() if name == "rpc" else sim.horizon()


def tip(sim: Sim) -> int:
    return sim.network.chain.latest.sequence


def submit(sim: Sim, *operations: Operation, future: str | None = None) -> None:
    sim.network.submit(Proposal(operations=operations, future=future))


@BOTH
async def test_cursor_now_loses_events(sim: Sim, name: str) -> None:
    """So it is never used: `latest` is resolved once, and survives a dropped first connection."""
    read = source(sim, name)
    cursor = await read.start("latest")
    await sim.arm("drop", surface="stream" if name == "horizon" else "getEvents", times=2)
    reading = asyncio.create_task(Read(cursor).up_to(toid(cursor >> 32, 1), read))
    submit(sim, Operation(op="emit"))
    sim.close()
    found = await reading
    assert found.positions == sim.positions(cursor)
    assert found.positions
    assert not [url for url in sim.asked if "now" in url]


@BOTH
async def test_a_silent_gap_is_never_skipped(sim: Sim, name: str) -> None:
    sim.close(20)
    await sim.arm("trim", after=3)
    with pytest.raises(SourceGapError):
        await Read(START).up_to(sim.tip, source(sim, name))


async def test_the_cursor_of_every_empty_answer_is_persisted(
    sim: Sim, redis: Redis, redis_url: str, keys: Keys
) -> None:
    site = Site(sim, redis, redis_url, keys)
    async with site.indexer(SOURCE="rpc", CONTRACTS=accounts.contract_id("nobody")):
        for _ in range(3):
            sim.close()

            async def kept() -> bool:
                return await site.cursor() == cursor_before(tip(sim) + 1)

            await until(kept, what="the cursor of an empty answer")


async def test_a_cursor_expires_with_the_history_but_a_quiet_contract_moves_it(sim: Sim) -> None:
    nobody = WatchedContracts.of(accounts.contract_id("nobody"))
    read = Read(START)
    for _ in range(4):
        sim.close(10)
        await read.up_to(sim.tip, sim.rpc(contracts=nobody))
        await sim.arm("trim", surface="rpc", after=5)
    assert not read.errors


@BOTH
async def test_tx_hash_and_event_name_are_not_unique(sim: Sim, name: str) -> None:
    submit(sim, Operation(op="emit"), Operation(op="emit"))
    cursor = cursor_before(tip(sim) + 1)
    sim.close()
    read = await Read(cursor).up_to(sim.tip, source(sim, name))
    first, second, *_ = [e for b in read.batches for e in b.events]
    assert first.provenance
    assert second.provenance
    assert (first.provenance.tx_hash, first.type) == (second.provenance.tx_hash, second.type)
    assert first.position != second.position


@BOTH
async def test_consecutive_ledgers_with_the_same_close_second(sim: Sim, name: str) -> None:
    """They are ordered by their ids, never by time."""
    cursor = cursor_before(tip(sim) + 1)
    for _ in range(6):
        submit(sim, Operation(op="emit"))
        sim.network.close(NOW + 10_000)
    read = await Read(cursor).up_to(sim.tip, source(sim, name))
    events = [e for b in read.batches for e in b.events]
    assert [str(e.position) for e in events] == sim.positions(cursor)
    assert len({e.provenance.closed_at for e in events if e.provenance}) == 1
    assert all(a < b for a, b in pairwise([parse_position(p) for p in read.positions]))


@BOTH
async def test_muxed_contract_addresses_are_decoded(sim: Sim, name: str) -> None:
    """Muxed contracts (W…, protocol 30), which the SDK's XDR does not know."""
    submit(sim, Operation(op="emit"), future="muxed_contract")
    cursor = cursor_before(tip(sim) + 1)
    sim.close()
    read = await Read(cursor).up_to(sim.tip, source(sim, name))
    assert read.positions == sim.positions(cursor)
    assert not [letter for b in read.batches for letter in b.dead]


async def test_byebye_is_not_a_failure(sim: Sim) -> None:
    await sim.arm("byebye", after=2, times=4)
    read = await Read(START).up_to(sim.tip, sim.horizon())
    assert read.positions == sim.positions()
    assert not read.errors


async def test_an_in_band_error_is_a_failure(sim: Sim) -> None:
    await sim.arm("error", after=2)
    read = await Read(START).up_to(sim.tip, sim.horizon())
    assert read.kinds == ["in_band"]
    assert read.positions == sim.positions()


@BOTH
async def test_a_429_without_retry_after_is_retried_later(sim: Sim, name: str) -> None:
    await sim.arm("429", surface="stream" if name == "horizon" else "getEvents")
    read = await Read(START).up_to(sim.tip, source(sim, name))
    [error] = read.errors
    assert (error.kind, error.retry_after) == ("status_429", None)
    assert read.positions == sim.positions()


async def test_metas_skipped_by_horizon_come_from_rpc(sim: Sim) -> None:
    await sim.arm("no_meta", surface="stream", times=1_000)
    read = await Read(START).up_to(sim.tip, sim.horizon())
    assert read.positions == sim.positions()
    with pytest.raises(FatalSourceError, match="meta_missing"):
        await Read(START).up_to(sim.tip, sim.horizon(rpc=False))


@BOTH
async def test_a_cursor_above_the_tip_is_an_error_and_not_a_silent_wait(
    sim: Sim, name: str
) -> None:
    with pytest.raises(SourceError, match="behind"):
        await anext(source(sim, name).batches(toid(tip(sim) + 5)))
    with pytest.raises(FatalSourceError, match="reset"):
        await anext(source(sim, name).batches(toid(tip(sim) + 5_000)))


@BOTH
async def test_a_page_cut_by_a_failure_is_read_again(sim: Sim, name: str) -> None:
    await sim.arm("cut", surface="stream" if name == "horizon" else "getEvents", after=5)
    read = await Read(START).up_to(sim.tip, source(sim, name))
    assert read.kinds == ["dropped"]
    assert read.positions == sim.positions()


async def test_a_reset_with_the_same_passphrase_is_noticed(
    sim: Sim, redis: Redis, redis_url: str, keys: Keys
) -> None:
    """So hashes are compared: by numbers alone the new history would look like the old one."""
    site = Site(sim, redis, redis_url, keys)
    async with site.indexer(LEASE_SECONDS=0.5) as process:
        await site.heard(process)

        async def checkpoint() -> bool:
            return bool(await redis.hexists(keys.progress, "checkpointHash"))

        await until(checkpoint)
    count = len(await journal(redis, keys))
    sim.network.reset(NOW, start_ledger=3_700_000)
    sim.close(40)
    async with site.indexer() as process:
        await site.until_ready(process, ready=False)
        await until(lambda: process.log_lines("task_ended"))
    assert len(await journal(redis, keys)) == count


async def test_ledgers_are_not_counted_by_the_clock(sim: Sim) -> None:
    """The close time is a setting of the network: nothing waits so many seconds for one."""
    async with aclosing(sim.rpc().batches(cursor_before(tip(sim) + 1))) as batches:
        waiting = asyncio.ensure_future(anext(batches))
        for _ in range(3):
            sim.network.close(NOW)
        assert (await waiting).cursor <= cursor_before(tip(sim) + 1)
