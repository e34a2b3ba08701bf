"""The history of a journal that was trimmed, with an archive: all events, and honest gaps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis
from stellar_sdk import Keypair

from services.api.events.routes import EVENT_HISTORY
from shared.archive.reader import ArchiveReader
from shared.domain.events import Event, EventType, Provenance
from shared.domain.position import END, START, Position, toid
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.reader import Journal
from shared.journal.wire import JournalEntry
from tests.api.samples import RECIPIENT, SENDER, T0, TOKEN
from tests.support.archived import JournalArchive
from tests.support.web_client import StartApi, WebClient

pytestmark = pytest.mark.io

OTHER = Keypair.random().public_key
EVENTS = 60


def event(ledger: int) -> Event:
    """An event of one of two streams; each tenth is for everyone."""
    source = Provenance(TOKEN, ledger, "2026-07-21T18:01:10Z", "ab" * 32, True)
    at = Position(toid(ledger, 1), 0)
    if ledger % 10 == 0:
        facts: dict[str, Any] = {"admin": SENDER}
        return Event(EventType.CONTRACT_INITIALIZED, None, T0 + ledger, facts, at, source)
    facts = {"sender": SENDER, "recipient": OTHER if ledger % 3 else RECIPIENT}
    facts |= {"tokenAddress": TOKEN, "ratePerSecond": "5", "depositedAmount": "1000"}
    stream_id = "7" if ledger % 3 else "8"
    kind = EventType.STREAM_CREATED
    return Event(kind, stream_id, T0 + ledger, facts | {"startTime": T0}, at, source)


async def commit(redis: Redis, keys: Keys, first: int, last: int) -> list[JournalEntry]:
    """Commit the events of these ledgers. Returns the whole journal."""
    await Committer(redis, keys).record([event(n) for n in range(first, last + 1)], progress={})
    return await Journal(redis, keys).between(START, END, 1000, newest_first=False)


@pytest.fixture
def archive(redis: Redis, keys: Keys, tmp_path: Path) -> JournalArchive:
    return JournalArchive(redis, keys, tmp_path / "archive")


async def walk(
    client: WebClient, path: str = "/v1/events", **query: Any
) -> tuple[list[str], list[tuple[str, str]]]:
    """The ids of the events of all pages, and the gaps."""
    ids, gaps = list[str](), list[tuple[str, str]]()
    place: dict[str, Any] = {}
    while True:
        response = await client.get(path, params=query | place)
        page = await response.json()
        assert response.status == 200, page
        ids += [item["id"] for item in page["items"]]
        gaps += [(page["gap"]["from"], page["gap"]["to"])] if page["gap"] else []
        if page["next"] is None:
            return ids, gaps
        place = {"after" if query.get("order") == "asc" else "before": page["next"]}


FILTERS: list[tuple[dict[str, str], set[str]]] = [
    ({"all": "true"}, {"7", "8"}),
    ({"streams": "7"}, {"7"}),
    ({"users": RECIPIENT}, {"8"}),
    ({"users": OTHER, "streams": "8"}, {"7", "8"}),
]


def of_streams(entries: list[JournalEntry], streams: set[str]) -> list[str]:
    return [e.position for e in entries if not e.topics or streams & set(e.topics)]


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
