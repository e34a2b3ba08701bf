"""Recent events are compared with the journal while new events arrive. Only lost ones count."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from services.fanout.feed.recent import RecentEvents
from services.webhooks.reading.recent import RecentEntries
from shared.domain.position import START, Position, parse_position
from shared.journal.divergence import last_common_position
from shared.journal.keys import Keys
from shared.journal.reader import Journal, JournalGap, JournalPage, JournalTip, NoNewEvents
from tests.fanout.journals import journal as entries_of
from tests.fanout.journals import restore, snapshot
from tests.fanout.replicas import Chain, api_commit

Recent = RecentEvents | RecentEntries
"""Those of a fanout, and those of a dispatcher."""
KINDS = pytest.mark.parametrize("kind", [RecentEvents, RecentEntries])


@pytest.fixture
def chain(redis: Redis, keys: Keys) -> Chain:
    """Commits events."""
    return Chain(redis, keys)


class BusyJournal(Journal):
    """A journal in which another event is committed and published after each read."""

    def __init__(self, redis: Redis, keys: Keys, recent: Recent, *, events: int = 1) -> None:
        super().__init__(redis, keys)
        self._recent = recent
        self._left = events
        self._chain = Chain(redis, keys)
        self._chain.ledger = 1000

    async def after(
        self, position: Position, limit: int = 500
    ) -> JournalPage | NoNewEvents | JournalGap:
        page = await super().after(position, limit)
        await self._publish()
        return page

    async def tip(self) -> JournalTip:
        tip = await super().tip()
        await self._publish()
        return tip

    async def _publish(self) -> None:
        if self._left:
            self._left -= 1
            await self._chain.commit()
            self._recent.append((await entries_of(self._redis, self._keys))[-1])


async def recent_events_of(
    redis: Redis, keys: Keys, kind: type[Recent], events: int = 100
) -> Recent:
    """Recent events with this limit, filled from the whole journal."""
    recent: Recent
    if kind is RecentEvents:
        recent = RecentEvents(START, events=events, size=1 << 22)
    else:
        recent = RecentEntries(events=events, size=1 << 22)
    for entry in await entries_of(redis, keys):
        recent.append(entry)
    return recent


@KINDS
@pytest.mark.parametrize("events", [1, 2, 3])
async def test_events_published_during_the_comparison_are_no_loss(
    redis: Redis, keys: Keys, chain: Chain, kind: type[Recent], events: int
) -> None:
    await chain.commit_many(5)
    recent = await recent_events_of(redis, keys, kind)
    assert (
        await last_common_position(BusyJournal(redis, keys, recent, events=events), recent)
        == recent.top
    )


@KINDS
async def test_events_dropped_from_memory_during_the_comparison_are_no_loss(
    redis: Redis, keys: Keys, chain: Chain, kind: type[Recent]
) -> None:
    await chain.commit_many(1200)
    recent = await recent_events_of(redis, keys, kind, 1200)
    assert (
        await last_common_position(BusyJournal(redis, keys, recent, events=9), recent) == recent.top
    )


@KINDS
async def test_a_lost_event_is_found_below_one_that_came_back(
    redis: Redis, keys: Keys, chain: Chain, kind: type[Recent]
) -> None:
    agreed = (await chain.commit_many(3))[-1]
    saved = await snapshot(redis, keys)
    await api_commit(chain.committer)
    event = chain.event()
    await chain.commit(event)
    recent = await recent_events_of(redis, keys, kind)
    await restore(redis, keys, saved)
    await Chain(redis, keys).commit(event)
    assert await last_common_position(Journal(redis, keys), recent) == parse_position(agreed)


@KINDS
async def test_a_trimmed_journal_is_compared_from_its_oldest_entry(
    redis: Redis, keys: Keys, chain: Chain, kind: type[Recent]
) -> None:
    await chain.commit_many(9)
    recent, journal = await recent_events_of(redis, keys, kind), Journal(redis, keys)
    await redis.xtrim(keys.journal, maxlen=4, approximate=False)
    assert await last_common_position(journal, recent) == recent.top
    await chain.commit_many(9)
    await redis.xtrim(keys.journal, maxlen=4, approximate=False)
    assert await last_common_position(journal, recent) is None
