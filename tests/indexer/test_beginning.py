"""Where reading begins: after a loss from what is remembered, never silently elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from services.indexer.beginning import Begin
from services.indexer.ingest import Ingest
from services.indexer.settling import Settling
from shared.commit import Behind, Committer, Moved
from shared.events import Event, EventType
from shared.journal import Gap, Journal
from shared.keys import Keys
from shared.losses import Memory, report
from shared.metrics import LOST_EVERYTHING, LOST_PROGRESS
from shared.positions import Position, parse_position
from shared.probes import Readiness
from shared.tasks import cancel
from shared.wire import Entry
from tests.indexer.simulated import Sim, journal, simulated
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(60)


class Process:
    """An indexer as far as it reads and commits; `memory` ends with it."""

    def __init__(self, sim: Sim, redis: Redis, keys: Keys) -> None:
        self.sim, self.redis, self.keys = sim, redis, keys
        self.memory, self.settling, self.readiness = Memory(), Settling(), Readiness("source")
        self.begin: Begin | None = None

    @asynccontextmanager
    async def running(self, start: str = "latest") -> AsyncIterator[None]:
        task = asyncio.create_task(self._lead(start))
        try:
            yield
        finally:
            await cancel(task)

    async def _lead(self, start: str) -> None:
        while True:
            ingest = Ingest(
                self.sim.horizon(),
                Committer(self.redis, self.keys),
                self.redis,
                self.keys,
                self.readiness,
                start=start,
                most_wait=0.02,
                settling=self.settling,
                memory=self.memory,
                begin=self.begin,
            )
            hearing = asyncio.create_task(ingest.beginning.hear())
            try:
                await ingest.run()
            except Moved:  # as services.indexer.app does
                continue
            finally:
                await cancel(hearing)

    async def caught_up(self) -> None:
        async def is_there() -> bool:
            cursor = await self.redis.hget(self.keys.progress, "cursor")
            return cursor is not None and int(cursor) >= self.sim.tip

        await until(is_there, seconds=15, what="the tip")

    async def settled(self) -> None:
        """Close ledgers until everyone was told of the loss."""

        async def is_told() -> bool:
            self.sim.close()
            return bool(await self.redis.hget(self.keys.progress, "told"))

        await until(is_told, seconds=15, what="journal.reset")
        await self.caught_up()

    async def entries(self) -> list[Entry]:
        return await journal(self.redis, self.keys)

    async def flush(self) -> None:
        names = [n async for n in self.redis.scan_iter(f"headrace:{{{self.keys.namespace}}}:*")]
        await self.redis.delete(*names)


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
    """Ledgers after the beginning, read to the end; the events' positions."""
    await started(process)
    first = process.sim.tip
    process.sim.close(ledgers)
    await process.caught_up()
    return process.sim.positions(after=first | 4095)


async def test_the_first_entry_names_the_cursor_that_reading_began_at(process: Process) -> None:
    started_at = (process.sim.tip >> 32) + 1 << 32
    async with process.running():
        held = await read_some(process)
    entries = await process.entries()
    assert [e.position for e in entries] == held
    began = parse_position(entries[0].previous)
    assert began.toid >> 12 == started_at >> 12
    later = Journal(process.redis, process.keys)
    assert await later.after(Position(process.sim.tip >> 33 << 32, 0)) == Gap(began)
    assert not process.memory.lost


async def test_what_was_read_once_is_read_again_after_a_loss_of_everything(
    process: Process,
) -> None:
    counted = LOST_EVERYTHING._value.get()
    async with process.running():
        held = await read_some(process)
        await process.flush()
        before = process.sim.tip
        process.sim.close(4)  # none of these were read before
        await process.settled()
    missed = process.sim.positions(after=before | 4095)
    entries = await process.entries()
    chain = [e.position for e in entries if e.type != "journal.reset"]
    assert chain == missed
    assert not set(chain) & set(held), "what was read and told is not read again"
    [reset] = [e for e in entries if e.type == "journal.reset"]
    assert parse_position(reset.position) > parse_position(held[-1])
    began = parse_position(entries[0].previous)
    assert parse_position(held[-1]) < began < parse_position(missed[0])
    assert LOST_EVERYTHING._value.get() == counted + 1
    assert "Redis was emptied" in str(process.readiness.document())
    await _hear_nothing_more(process)


async def _hear_nothing_more(process: Process) -> None:
    async with process.running():
        process.sim.close(2)
        await process.caught_up()
    assert [e.type for e in await process.entries()].count("journal.reset") == 1


async def test_an_indexer_that_knows_nothing_asks_those_who_do(
    process: Process, sim: Sim, redis: Redis, keys: Keys
) -> None:
    """It was started anew together with Redis; two fanouts live on, and one was late."""
    async with process.running():
        held = await read_some(process)
    early, late = held[len(held) // 2], held[-1]
    await process.flush()
    for name, position in (("one", late), ("two", early)):
        place = parse_position(position)
        await report(redis, keys, name, Memory(top=place, cursor=place.toid))
    sim.close(3)
    other = Process(sim, redis, keys)
    async with other.running():
        await until(other.entries, seconds=15)
        with pytest.raises(Behind):  # the API knows nothing either, and waits
            await Committer(redis, keys).change([], lambda _: [_api_event()])
        await other.settled()
    entries = await process.entries()
    chain = [e.position for e in entries if e.type != "journal.reset"]
    assert chain == sim.positions(after=parse_position(early).toid)
    assert [e.type for e in entries].count("journal.reset") == 1
    await Committer(redis, keys).change([], lambda _: [_api_event()])


def _api_event() -> Event:
    return Event(EventType.CONTRACT_INITIALIZED, None, 100, {"admin": "G"})


async def test_a_report_that_comes_late_is_told_all_the_same(process: Process) -> None:
    async with process.running():
        await read_some(process)
        memory = Memory(top=Position(process.sim.tip, 5), cursor=process.sim.tip)
        await report(process.redis, process.keys, "slow", memory)
        await process.settled()
    assert [e.type for e in await process.entries()].count("journal.reset") == 1


async def test_an_older_start_reads_more_than_was_known(process: Process) -> None:
    async with process.running("earliest"):
        await process.caught_up()
        await process.flush()
        await process.settled()
    chain = [e.position for e in await process.entries() if e.type != "journal.reset"]
    assert chain == process.sim.positions()[: len(chain)]
    assert len(chain) > 10


async def test_progress_lost_alone_is_taken_up_from_the_journals_top(process: Process) -> None:
    counted: Any = LOST_PROGRESS._value.get()
    async with process.running():
        held = await read_some(process)
    before = await process.entries()
    await process.redis.delete(process.keys.progress)
    first = process.sim.tip
    process.sim.close(6)
    other = Process(process.sim, process.redis, process.keys)
    async with other.running():  # with START=latest
        await other.caught_up()
    entries = await process.entries()
    assert entries[: len(before)] == before
    assert [e.position for e in entries] == held + process.sim.positions(after=first | 4095)
    assert LOST_PROGRESS._value.get() == counted + 1
    assert "progress was lost" in str(other.readiness.document())


@pytest.mark.parametrize("when", ["before the indexer", "while it asks what is known"])
async def test_what_the_api_wrote_before_the_first_ledger_is_followed_by_a_gap(
    process: Process, when: str
) -> None:
    async def write() -> None:
        await Committer(process.redis, process.keys).change([], lambda _: [_api_event()])

    if when.startswith("before"):
        await write()
    else:
        process.begin = write
    async with process.running():
        await read_some(process)
    first, gap, *_ = await process.entries()
    assert (first.previous, gap.type, gap.previous) == ("0-0", "chain.gap", first.position)
    assert parse_position(gap.position).toid >> 32 > 0
