"""Recent events are compared with the journal while new events arrive. Only lost ones count."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from services.fanout.feed.divergence import last_common_position
from services.fanout.feed.recent import RecentEvents
from shared.domain.position import START, Position, parse_position
from shared.journal.keys import Keys
from shared.journal.reader import Journal, JournalGap, JournalPage, JournalTip, NoNewEvents
from tests.fanout.journals import journal as entries_of
from tests.fanout.journals import restore, snapshot
from tests.fanout.replicas import Chain, api_commit


class BusyJournal(Journal):
    """A journal in which another event is committed and published after each read."""

    def __init__(self, redis: Redis, keys: Keys, recent: RecentEvents, *, events: int = 1) -> None:
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


async def recent_events_of(redis: Redis, keys: Keys, events: int) -> RecentEvents:
    """Recent events with this limit, filled from the whole journal."""
    recent = RecentEvents(START, events=events, size=1 << 20)
    for entry in await entries_of(redis, keys):
        recent.append(entry)
    return recent


@pytest.mark.parametrize("events", [1, 2, 3])
async def test_events_published_during_the_comparison_are_no_loss(
    redis: Redis, keys: Keys, chain: Chain, events: int
) -> None:
    await chain.commit_many(5)
    recent = await recent_events_of(redis, keys, 100)
    assert (
        await last_common_position(BusyJournal(redis, keys, recent, events=events), recent)
        == recent.top
    )


async def test_events_dropped_from_memory_during_the_comparison_are_no_loss(
    redis: Redis, keys: Keys, chain: Chain
) -> None:
    await chain.commit_many(1200)
    recent = await recent_events_of(redis, keys, 1200)
    assert (
        await last_common_position(BusyJournal(redis, keys, recent, events=9), recent) == recent.top
    )


async def test_a_lost_event_is_found_below_one_that_came_back(
    redis: Redis, keys: Keys, chain: Chain
) -> None:
    agreed = (await chain.commit_many(3))[-1]
    saved = await snapshot(redis, keys)
    await api_commit(chain.committer)
    event = chain.event()
    await chain.commit(event)
    recent = await recent_events_of(redis, keys, 100)
    await restore(redis, keys, saved)
    await Chain(redis, keys).commit(event)
    assert await last_common_position(Journal(redis, keys), recent) == parse_position(agreed)
