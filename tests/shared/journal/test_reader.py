"""Reading the journal: a page, no new events, or a gap that says where the history continues."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from shared.domain.events import Event
from shared.domain.instant import unix_seconds
from shared.domain.position import END, START, Position, journal_start, parse_position
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.plan import Retention
from shared.journal.reader import Journal, JournalGap, JournalPage, NoNewEvents
from shared.runtime.metrics import LOST_ENTRY
from tests.shared.samples import TYPE, at, chain

SLACK = 100
"""The commit trims by length once at least 100 entries are too many."""


async def fill(
    redis: Redis, keys: Keys, count: int, *, retention: Retention | None = None, first: int = 1
) -> None:
    """Commit one event per ledger."""
    committer = Committer(redis, keys, retention=retention)
    for ledger in range(first, first + count):
        event = chain(TYPE.CONTRACT_INITIALIZED, None, at(ledger), admin="G")
        await committer.record([event], progress={"cursor": str(at(ledger))})


async def kept(redis: Redis, keys: Keys) -> list[Position]:
    rows: Any = await redis.xrange(keys.journal)
    return [parse_position(place.decode()) for place, _ in rows]


async def test_an_empty_journal_has_no_new_events_after_any_position(
    redis: Redis, keys: Keys
) -> None:
    journal = Journal(redis, keys)
    for position in (START, at(7), END):
        assert await journal.after(position) == NoNewEvents()
    assert await journal.latest(5) == []


async def test_pages_follow_each_other_without_a_gap(redis: Redis, keys: Keys) -> None:
    await fill(redis, keys, 7)
    journal = Journal(redis, keys)
    read, position, more = [], START, []
    while isinstance(page := await journal.after(position, limit=3), JournalPage):
        more.append(page.more)
        read += [parse_position(entry.position) for entry in page.entries]
        position = read[-1]
    assert page == NoNewEvents()
    assert read == [at(ledger) for ledger in range(1, 8)]
    assert more == [True, True, False]


async def test_reading_may_start_between_two_entries(redis: Redis, keys: Keys) -> None:
    await fill(redis, keys, 3)
    page = await Journal(redis, keys).after(Position(at(1).toid, 5))
    assert isinstance(page, JournalPage)
    assert [entry.position for entry in page.entries] == [str(at(2)), str(at(3))]


async def test_nothing_follows_the_top_or_a_higher_position(redis: Redis, keys: Keys) -> None:
    await fill(redis, keys, 2)
    for position in (at(2), at(3), Position(END.toid, 0), END):
        assert await Journal(redis, keys).after(position) == NoNewEvents()


async def test_each_entry_names_the_one_before_it(redis: Redis, keys: Keys) -> None:
    await fill(redis, keys, 4)
    entries = await Journal(redis, keys).latest(10)
    assert [e.previous for e in entries] == [str(START), *(e.position for e in entries[:-1])]
    assert [e.position for e in await Journal(redis, keys).latest(2)] == [str(at(3)), str(at(4))]


async def check_edge(redis: Redis, keys: Keys, trimmed: Position, limit: int = 500) -> None:
    """After the last trimmed entry nothing is missing; after the entry before it, one is."""
    journal = Journal(redis, keys)
    page = await journal.after(trimmed, limit)
    assert isinstance(page, JournalPage)
    assert page.entries[0].previous == str(trimmed)
    for position in (START, at(trimmed.ledger - 1), Position(trimmed.toid - 1, 2**64 - 1)):
        assert await journal.after(position, limit) == JournalGap(trimmed)


async def test_entries_trimmed_by_length_are_a_gap(redis: Redis, keys: Keys) -> None:
    await fill(redis, keys, 2 * SLACK + 50, retention=Retention(max_length=10))
    left = await kept(redis, keys)
    assert 10 <= len(left) <= 10 + SLACK
    assert left[-1] == at(2 * SLACK + 50)
    await check_edge(redis, keys, at(left[0].ledger - 1))


async def test_entries_trimmed_by_age_are_a_gap_and_the_last_entry_stays(
    redis: Redis, keys: Keys
) -> None:
    await fill(redis, keys, 5)
    await age(redis, keys, by=3600)
    await fill(redis, keys, 1, retention=Retention(max_age=60), first=6)
    # A commit of one event trims at most three old ones, so its cost is bounded.
    assert await kept(redis, keys) == [at(4), at(5), at(6)]
    await check_edge(redis, keys, at(3))
    await fill(redis, keys, 1, retention=Retention(max_age=60), first=7)
    assert await kept(redis, keys) == [at(6), at(7)]
    await age(redis, keys, by=3600)
    quiet = Committer(redis, keys, retention=Retention(max_age=60))
    for _ in range(3):
        await quiet.record([], progress={"ledger": "8"})
    assert await kept(redis, keys) == [at(7)]
    assert (await Journal(redis, keys).tip()).top == at(7)
    await check_edge(redis, keys, at(6))


async def test_without_a_maximum_age_no_entry_is_trimmed_by_age(redis: Redis, keys: Keys) -> None:
    await fill(redis, keys, 3)
    await age(redis, keys, by=10**8)
    await fill(redis, keys, 1, first=4)
    assert len(await kept(redis, keys)) == 4


async def age(redis: Redis, keys: Keys, *, by: int) -> None:
    """Rewrite the journal as if all entries were `by` seconds older."""
    rows: Any = await redis.xrange(keys.journal)
    await redis.delete(keys.journal)
    for position, fields in rows:
        before, _, rest = fields[b"b"].partition(b'"publishedAt":')
        number, comma, rest = rest.partition(b",")
        fields[b"b"] = before + b'"publishedAt":%d' % (int(number) - by * 10**6) + comma + rest
        await redis.xadd(keys.journal, fields, id=position)


async def test_the_tip_contains_top_and_progress(redis: Redis, keys: Keys) -> None:
    tip = await Journal(redis, keys).tip()
    assert (tip.top, tip.ledger, tip.closed_at) == (START, None, None)
    committer = Committer(redis, keys)
    await fill(redis, keys, 1)
    await committer.record([], progress={"ledger": "9", "closedAt": "2026-07-21T18:01:10Z"})
    tip = await Journal(redis, keys).tip()
    assert (tip.top, tip.ledger, tip.closed_at) == (at(1), 9, unix_seconds("2026-07-21T18:01:10Z"))


@pytest.mark.parametrize("limit", [1, 2])
async def test_a_gap_is_noticed_on_the_smallest_page_too(
    redis: Redis, keys: Keys, limit: int
) -> None:
    await fill(redis, keys, 3)
    await redis.xdel(keys.journal, str(at(1)))
    await check_edge(redis, keys, at(1), limit)


async def test_a_missing_entry_ends_the_page_and_the_next_read_is_a_gap(
    redis: Redis, keys: Keys
) -> None:
    await fill(redis, keys, 12)
    await redis.xdel(keys.journal, str(at(4)), str(at(5)), str(at(9)))
    counted = LOST_ENTRY._value.get()
    for limit in (500, 6, 3, 2, 1):
        journal, position = Journal(redis, keys), START
        read: list[int | str] = []
        while (page := await journal.after(position, limit)) != NoNewEvents():
            if isinstance(page, JournalGap):
                read.append(f"gap to {page.resumes_after.ledger}")
                position = page.resumes_after
            else:
                assert isinstance(page, JournalPage)
                assert page.entries
                read += [parse_position(e.position).ledger for e in page.entries]
                position = parse_position(page.entries[-1].position)
        assert read == [1, 2, 3, "gap to 5", 6, 7, 8, "gap to 9", 10, 11, 12], limit
    assert LOST_ENTRY._value.get() == counted + 10, "two holes, each counted once per reader"


async def test_the_newest_entries_start_after_the_last_missing_entry(
    redis: Redis, keys: Keys
) -> None:
    await fill(redis, keys, 8)
    await redis.xdel(keys.journal, str(at(2)), str(at(5)))
    latest = await Journal(redis, keys).latest(100)
    assert [parse_position(e.position).ledger for e in latest] == [6, 7, 8]
    assert latest[0].previous == str(at(5))


async def test_trimmed_entries_are_not_counted_as_missing(redis: Redis, keys: Keys) -> None:
    counted = LOST_ENTRY._value.get()
    await fill(redis, keys, 2 * SLACK + 50, retention=Retention(max_length=10))
    assert isinstance(await Journal(redis, keys).after(at(1)), JournalGap)
    assert LOST_ENTRY._value.get() == counted


@pytest.mark.parametrize("by", ["chain", "api"])
async def test_the_first_entry_follows_the_start_of_the_journal(
    redis: Redis, keys: Keys, by: str
) -> None:
    began = journal_start(at(4).toid, 7 << 40)
    committer = Committer(redis, keys)
    progress = {"cursor": str(at(4).toid), "began": str(began)}
    await committer.record([], progress=progress)
    journal = Journal(redis, keys)
    tip = await journal.tip()
    assert (tip.top, tip.began, tip.empty) == (began, began, True)
    for position in (at(1), at(4)):
        assert await journal.after(position) == JournalGap(began), "also while it is empty"
    for position in (START, began, at(5)):
        assert await journal.after(position) == NoNewEvents()
    event = chain(TYPE.CONTRACT_INITIALIZED, None, at(5), admin="G")
    if by == "chain":
        await committer.record([event], progress={"cursor": str(at(5).toid)})
    else:
        event = Event(TYPE.CONTRACT_INITIALIZED, None, 100, {"admin": "G"})
        (given,) = (await Committer(redis, keys).change([], lambda _: [event])).positions
        assert began < given < at(5)
        assert given.toid == began.toid
    for position in (at(1), at(4)):
        assert await journal.after(position) == JournalGap(began)
    for position in (START, began):
        page = await journal.after(position)
        assert isinstance(page, JournalPage)
        assert page.entries[0].previous == str(began)
