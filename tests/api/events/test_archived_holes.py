"""Entries that are missing inside the journal come from the archive, in both orders."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from shared.journal.keys import Keys
from tests.api.events.archived_events import FILTERS, commit, of_streams, walk
from tests.support.archived import JournalArchive
from tests.support.web_client import StartApi

pytestmark = pytest.mark.io


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_a_hole_in_the_journal_is_filled_from_the_archive(
    start: StartApi, redis: Redis, keys: Keys, archive: JournalArchive, order: str
) -> None:
    everything = await commit(redis, keys, 1, 30)
    await archive.append()
    await archive.trim(20)
    await redis.xdel(keys.journal, *(e.position for e in everything[14:17]))
    client = await start(archive_url=archive.url)
    turned = slice(None, None, 1 if order == "asc" else -1)
    for limit in (1, 2, 5, 6, 500):
        for query, streams in FILTERS:
            found = await walk(client, order=order, limit=limit, **query)
            assert found == (of_streams(everything, streams)[turned], [])
        for after, before in ((12, 20), (15, 20), (12, 15), (14, 16), (13, 17)):  # also inside it
            ends = {"after": everything[after].position, "before": everything[before].position}
            expected = [e.position for e in everything[after + 1 : before]]
            assert await walk(client, order=order, all="true", limit=limit, **ends) == (
                expected[turned],
                [],
            ), (limit, after, before)


async def test_a_hole_that_the_archive_has_not_either_is_a_gap_in_both_orders(
    start: StartApi, redis: Redis, keys: Keys, archive: JournalArchive
) -> None:
    everything = await commit(redis, keys, 1, 30)
    await archive.append()
    everything = await commit(redis, keys, 31, 60)
    await redis.xdel(keys.journal, *(e.position for e in everything[44:47]))
    client = await start(archive_url=archive.url)
    lost = (everything[43].position, everything[46].position)
    for order in ("asc", "desc"):
        for limit in (1, 5, 500):
            ids, gaps = await walk(client, order=order, limit=limit, all="true")
            assert len(ids) == 57
            assert set(gaps) == {lost}
