"""Where reading begins: after a loss at a cursor that a process reported."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from services.indexer.ingest import startup
from shared.domain.events import Event, EventType
from shared.domain.position import Position, parse_position
from shared.journal.commit import CommitResult, Committer
from shared.journal.commit_errors import JournalBehindError
from shared.journal.keys import Keys
from shared.journal.losses import DataLossDetector, LossReport, write_report
from shared.journal.reader import Journal, JournalGap
from shared.journal.wire import JournalEntry
from shared.runtime.metrics import LOST_EVERYTHING, LOST_PROGRESS
from tests.indexer.reading_process import Process
from tests.indexer.simulated import Sim, simulated
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def sim() -> AsyncIterator[Sim]:
    async with simulated(ledgers=6) as sim:
        yield sim


@pytest.fixture
def process(sim: Sim, redis: Redis, keys: Keys) -> Process:
    return Process(sim, redis, keys)


async def started(process: Process) -> None:
    async def has_begun() -> bool:
        return bool(await process.redis.hget(process.keys.progress, "began"))

    await until(has_begun, what="the beginning")


async def read_some(process: Process, ledgers: int = 8) -> list[str]:
    """Read some ledgers after the beginning to the end; returns the positions of their events."""
    await started(process)
    first = process.sim.tip
    process.sim.close(ledgers)
    await process.caught_up()
    return process.sim.positions(after=first | 4095)


async def test_the_first_entry_has_the_cursor_at_which_reading_began(process: Process) -> None:
    started_at = (process.sim.tip >> 32) + 1 << 32
    async with process.running():
        positions = await read_some(process)
    entries = await process.entries()
    assert [e.position for e in entries] == positions
    began = parse_position(entries[0].previous)
    assert began.toid >> 12 == started_at >> 12
    later = Journal(process.redis, process.keys)
    assert await later.after(Position(process.sim.tip >> 33 << 32, 0)) == JournalGap(began)
    assert not process.loss_detector.lost


async def test_after_a_loss_of_everything_the_same_ledgers_are_read_again(
    process: Process,
) -> None:
    counted = LOST_EVERYTHING._value.get()
    async with process.running():
        positions = await read_some(process)
        await process.flush()
        before = process.sim.tip
        process.sim.close(4)  # none of these ledgers were read before
        await process.announced()
    missed = process.sim.positions(after=before | 4095)
    entries = await process.entries()
    chain = [e.position for e in entries if e.type != "journal.reset"]
    assert chain == missed
    assert not set(chain) & set(positions), "events that were read before are not read again"
    [reset] = [e for e in entries if e.type == "journal.reset"]
    assert parse_position(reset.position) > parse_position(positions[-1])
    began = parse_position(entries[0].previous)
    assert parse_position(positions[-1]) < began < parse_position(missed[0])
    assert LOST_EVERYTHING._value.get() == counted + 1
    assert "Redis was emptied" in str(process.readiness.document())
    await _hear_nothing_more(process)


async def test_a_process_that_continues_announces_a_loss_once(
    process: Process,
) -> None:
    """The process knows the first entry of the lost journal; reading begins there again."""
    for _ in range(2):
        async with process.running():
            await read_some(process, ledgers=3)
    counted = LOST_EVERYTHING._value.get()
    async with process.running():
        await process.flush()
        process.sim.close(4)
        await process.announced()
    await _hear_nothing_more(process)
    assert LOST_EVERYTHING._value.get() == counted + 1
    assert not process.loss_detector.lost


async def _hear_nothing_more(process: Process) -> None:
    async with process.running():
        process.sim.close(2)
        await process.caught_up()
    assert [e.type for e in await process.entries()].count("journal.reset") == 1


async def test_a_new_indexer_uses_the_reports_of_other_processes(
    process: Process, sim: Sim, redis: Redis, keys: Keys
) -> None:
    """The indexer was restarted together with Redis; two fanouts are running, one of them late."""
    async with process.running():
        positions = await read_some(process)
    early, late = positions[len(positions) // 2], positions[-1]
    await process.flush()
    for name, highest in (("one", late), ("two", early)):
        top = parse_position(highest)
        await write_report(redis, keys, name, DataLossDetector(top=top, cursor=top.toid))
    sim.close(3)
    other = Process(sim, redis, keys)
    async with other.running():
        await until(other.entries, seconds=15)
        with pytest.raises(JournalBehindError):  # the API does not know of the loss and waits
            await Committer(redis, keys).change([], lambda _: [_api_event()])
        await other.announced()
    entries = await process.entries()
    chain = [e.position for e in entries if e.type != "journal.reset"]
    assert chain == sim.positions(after=parse_position(early).toid)
    assert [e.type for e in entries].count("journal.reset") == 1
    await Committer(redis, keys).change([], lambda _: [_api_event()])


def _api_event() -> Event:
    return Event(EventType.CONTRACT_INITIALIZED, None, 100, {"admin": "G"})


async def test_a_late_report_is_announced_too(process: Process) -> None:
    async with process.running():
        await read_some(process)
        loss_detector = DataLossDetector(top=Position(process.sim.tip, 5), cursor=process.sim.tip)
        await write_report(process.redis, process.keys, "slow", loss_detector)
        await process.announced()
    assert [e.type for e in await process.entries()].count("journal.reset") == 1


async def test_an_older_start_reads_from_there(process: Process) -> None:
    async with process.running("earliest"):
        await process.caught_up()
        await process.flush()
        await process.announced()
    chain = [e.position for e in await process.entries() if e.type != "journal.reset"]
    assert chain == process.sim.positions()[: len(chain)]
    assert len(chain) > 10


async def test_lost_progress_is_recovered_from_the_journals_top(process: Process) -> None:
    counted: Any = LOST_PROGRESS._value.get()
    async with process.running():
        positions = await read_some(process)
    before = await process.entries()
    await process.redis.delete(process.keys.progress)
    first = process.sim.tip
    process.sim.close(6)
    other = Process(process.sim, process.redis, process.keys)
    async with other.running():  # with START=latest
        await other.caught_up()
    entries = await process.entries()
    assert entries[: len(before)] == before
    assert [e.position for e in entries] == positions + process.sim.positions(after=first | 4095)
    assert LOST_PROGRESS._value.get() == counted + 1
    assert "lost the progress" in str(other.readiness.document())


async def test_a_loss_is_announced_once_even_if_the_progress_is_lost_too(process: Process) -> None:
    redis, keys = process.redis, process.keys
    async with process.running():
        [*_, top] = await read_some(process)
        await process.flush()
        await process.announced()
        reset_position = await redis.hget(keys.progress, "told")
        await write_report(redis, keys, "a fanout", DataLossDetector(top=parse_position(top)))
        await redis.delete(keys.progress)
        process.sim.close(2)
        await process.caught_up()
    assert await redis.hget(keys.progress, "told") == reset_position
    await _hear_nothing_more(process)


async def _gap_after_the_first_event(process: Process) -> JournalEntry:
    """Let it read. The gap must be the second entry of the journal."""
    async with process.running():
        await read_some(process)
    first, gap, *_ = await process.entries()
    assert (first.previous, gap.type, gap.previous) == ("0-0", "chain.gap", first.position)
    return gap


async def test_api_events_before_the_first_ledger_are_followed_by_a_gap(
    process: Process,
) -> None:
    committer = Committer(process.redis, process.keys)
    await committer.change([], lambda _: [_api_event()])
    gap = await _gap_after_the_first_event(process)
    assert parse_position(gap.position).toid >> 32 > 0


async def test_api_events_during_the_wait_for_reports_are_followed_by_a_gap(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    committer = Committer(process.redis, process.keys)
    one_at_a_time = asyncio.Lock()  # two tasks read reports

    async def reports(*_: object) -> list[LossReport]:
        async with one_at_a_time:
            if not await process.redis.exists(process.keys.journal):
                await committer.change([], lambda _: [_api_event()])
        return []

    monkeypatch.setattr(startup, "read_reports", reports)
    await _gap_after_the_first_event(process)


async def test_an_api_event_in_the_moment_before_the_first_commit_is_followed_by_a_gap(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    committer, record = Committer(process.redis, process.keys), Committer.record

    async def record_later(own: Committer, *given: Any, **more: Any) -> CommitResult:
        if not await process.redis.exists(process.keys.journal):
            await committer.change([], lambda _: [_api_event()])
        return await record(own, *given, **more)

    monkeypatch.setattr(Committer, "record", record_later)
    await _gap_after_the_first_event(process)
