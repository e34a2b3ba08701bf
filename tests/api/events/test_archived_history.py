"""The history of a journal that was trimmed, with an archive: all events, and honest gaps."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from services.api.events.routes import EVENT_HISTORY
from shared.archive.reader import ArchiveReader
from shared.domain.position import END, Position, toid
from shared.journal.keys import Keys
from shared.journal.wire import JournalEntry
from tests.api.events.archived_events import FILTERS, commit, of_streams, walk
from tests.api.samples import RECIPIENT, T0
from tests.support.archived import JournalArchive
from tests.support.web_client import StartApi

pytestmark = pytest.mark.io

EVENTS = 60


@pytest.mark.parametrize("limit", [3, 7, 500])
async def test_every_filter_in_both_orders_over_journal_and_archive(
    start: StartApi, redis: Redis, keys: Keys, archive: JournalArchive, limit: int
) -> None:
    await commit(redis, keys, 1, EVENTS // 2)
    await archive.append(size=11)
    everything = await commit(redis, keys, EVENTS // 2 + 1, EVENTS)
    await archive.append(size=11)
    await archive.trim(17)
    client = await start(archive_url=archive.url)
    for query, streams in FILTERS:
        expected = of_streams(everything, streams)
        assert await walk(client, order="asc", limit=limit, **query) == (expected, [])
        assert await walk(client, limit=limit, **query) == (expected[::-1], [])
    for low, high in ((3, 9), (3, 50), (45, 52), (0, 1), (5, 5), (9, 3), (42, 43)):
        bounds = {"after": everything[low].position, "before": everything[high].position}
        expected = [e.position for e in everything[low + 1 : high]]
        given: dict[str, Any] = {"all": "true", "limit": limit} | bounds
        assert await walk(client, order="asc", **given) == (expected, [])
        assert await walk(client, **given) == (expected[::-1], [])
    for bound in ("", f"&from={T0}", f"&to={T0 + 1000}"):
        path = f"/v1/events/export?all=true&format=ndjson{bound}"
        lines = (await (await client.get(path)).read()).splitlines()
        assert [orjson.loads(x)["id"] for x in lines] == [e.position for e in everything]
    published = orjson.loads(everything[EVENTS // 2].body)["publishedAt"]
    found = await client.app[EVENT_HISTORY]._part.published_before(published)
    assert str(found) == everything[EVENTS // 2 - 1].position, "the end of a segment"


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_only_what_neither_has_is_a_gap(
    start: StartApi, redis: Redis, keys: Keys, archive: JournalArchive, order: str
) -> None:
    await commit(redis, keys, 1, 10)
    await archive.append()
    everything = await commit(redis, keys, 11, 20)
    await archive.trim(4)  # the archiver was too late for 11 to 16
    await commit(redis, keys, 21, 40)
    await archive.append()
    await archive.trim(8)
    client = await start(archive_url=archive.url)
    whole = everything[:10] + everything[16:] + await later(archive, redis, keys)
    lost = (everything[9].position, everything[15].position)
    for query, streams in FILTERS:
        expected = of_streams(whole, streams)
        for limit in (4, 500):
            ids, gaps = await walk(client, order=order, limit=limit, **query)
            assert ids == (expected if order == "asc" else expected[::-1])
            assert min(gap[0] for gap in gaps) >= lost[0]
            assert max(gap[1] for gap in gaps) == lost[1]
    after = {"after": everything[15].position, "all": "true"}
    assert (await walk(client, order=order, **after))[1] == []


async def later(archive: JournalArchive, redis: Redis, keys: Keys) -> list[JournalEntry]:
    """The events from 21 on, of which the journal has only the last ones."""
    first = Position(toid(21, 0), 0)
    read = await ArchiveReader(archive.catalog).between(first, END, 100, newest_first=False)
    return list(read)


@pytest.mark.parametrize("moment", ["before", "within", "after"])
async def test_events_that_are_trimmed_during_the_read_come_from_the_archive(  # noqa: PLR0917
    start: StartApi,
    redis: Redis,
    keys: Keys,
    archive: JournalArchive,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    """Before the journal is read, between its index and its entries, and after it."""
    everything = await commit(redis, keys, 1, 60)
    await archive.append()
    client = await start(archive_url=archive.url)
    part = client.app[EVENT_HISTORY]._part._journal_part  # type: ignore[attr-defined]
    place, name = (part._journal, "at") if moment == "within" else (part, "read")
    read = getattr(place, name)

    async def trim() -> None:
        if (length := await redis.xlen(keys.journal)) > 10:
            await archive.trim(length - 5)

    async def trimming(*given: Any, **more: Any) -> Any:
        if moment != "after":
            await trim()
        found = await read(*given, **more)
        if moment == "after":
            await trim()
        return found

    monkeypatch.setattr(place, name, trimming)
    for query, order in (
        ({"all": "true"}, "asc"),
        ({"streams": "7"}, "asc"),
        ({"streams": "7"}, "desc"),
    ):
        ids, gaps = await walk(client, order=order, limit=3, **query)
        expected = of_streams(everything, {"7", "8"} if "all" in query else {"7"})
        assert (ids, gaps) == (expected if order == "asc" else expected[::-1], [])
        everything = await restart(redis, keys, archive, everything)
    await archive.trim(12)  # one read gets all of these, and then half of them are trimmed
    ids, gaps = await walk(client, all="true", limit=500)
    assert (ids, gaps) == ([e.position for e in reversed(everything)], [])


async def restart(
    redis: Redis, keys: Keys, archive: JournalArchive, entries: list[JournalEntry]
) -> list[JournalEntry]:
    """Fill the journal again, so that the next walk can trim it too."""
    first = entries[-1].position
    ledger = Position(*map(int, first.split("-"))).ledger
    await commit(redis, keys, ledger + 1, ledger + 60)
    new = await archive.append()
    return entries + new


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_an_archive_that_ends_before_the_journal_starts_has_a_gap_at_its_end(
    start: StartApi, redis: Redis, keys: Keys, archive: JournalArchive, order: str
) -> None:
    await commit(redis, keys, 1, 10)
    await archive.append()
    everything = await commit(redis, keys, 11, 30)
    await archive.trim(5)
    client = await start(archive_url=archive.url)
    kept = everything[:10] + everything[25:]
    for query, streams in FILTERS:
        expected = of_streams(kept, streams)
        ids, gaps = await walk(client, order=order, limit=4, **query)
        assert ids == (expected if order == "asc" else expected[::-1])
        assert (min(gaps)[0], max(gap[1] for gap in gaps)) == (
            everything[9].position,
            everything[24].position,
        )


async def test_an_archive_that_cannot_be_read_is_a_503(
    start: StartApi, redis: Redis, keys: Keys, archive: JournalArchive
) -> None:
    everything = await commit(redis, keys, 1, 30)
    await archive.append()
    await archive.trim(10)
    client = await start(archive_url=archive.url)
    archive.folder.rename(archive.folder.with_name("away"))
    archive.folder.write_text("a file where the folder was")
    for path in ("/v1/events?all=true&order=asc", "/v1/events/export?users=" + RECIPIENT):
        response = await client.get(path)
        assert (response.status, response.headers["Retry-After"]) == (503, "2")
        assert "archive" in (await response.json(content_type=None))["detail"]
    for recent in (f"after={everything[25].position}", "limit=5"):
        assert (await client.get(f"/v1/events?all=true&{recent}")).status == 200
