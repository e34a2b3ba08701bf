"""Event history: complete and in order for every filter; position and gap of pages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from redis.asyncio import Redis
from stellar_sdk import Keypair

from services.api.events import history
from shared.domain.events import Event, EventType, Provenance
from shared.domain.position import START, Position, parse_position, toid
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.reader import Journal, JournalPage
from tests.api.samples import RECIPIENT, SENDER, T0, TOKEN, Clock, made, on_chain
from tests.support.web_client import StartApi, WebClient

OTHER = Keypair.random().public_key


async def fetch(
    client: WebClient, path: str = "/v1/events", status: int = 200, **query: Any
) -> dict[str, Any]:
    response = await client.get(path, params=query)
    document = await response.json(content_type=None)
    assert response.status == status, document
    return document


async def walk(client: WebClient, path: str = "/v1/events", **query: Any) -> list[dict[str, Any]]:
    """The events of all pages."""
    events: list[Any] = []
    place: dict[str, Any] = {}
    while True:
        page = await fetch(client, path, **query, **place)
        assert page["gap"] is None
        events += page["items"]
        if page["next"] is None:
            return events
        place = {"after" if query.get("order") == "asc" else "before": page["next"]}


async def initialized(redis: Redis, keys: Keys, ledger: int) -> None:
    """An event of the contract, which everyone gets."""
    source = Provenance(TOKEN, ledger, "2026-07-21T18:01:10Z", "ab" * 32, True)
    place = Position(toid(ledger, 1), 0)
    event = Event(EventType.CONTRACT_INITIALIZED, None, T0, {"admin": SENDER}, place, source)
    await Committer(redis, keys).record([event], progress={})


@pytest.fixture
async def lives(client: WebClient, redis: Redis, keys: Keys, clock: Clock) -> list[str]:
    """Create and change several streams. Returns the ids of two: to RECIPIENT and to OTHER."""
    await initialized(redis, keys, 5)
    await on_chain(redis, keys, 7)
    ids = [(await made(client))["id"], (await made(client, recipient=OTHER))["id"]]
    for second in range(12):
        clock.now += 1
        for stream_id in ids:
            step = "resume" if second % 2 else "pause"
            await client.post(f"/v1/streams/{stream_id}/{step}")
    return ids


async def story(redis: Redis, keys: Keys) -> list[tuple[str, str, Sequence[str]]]:
    """All events of the journal, read directly."""
    page = await Journal(redis, keys).after(START, 1000)
    assert isinstance(page, JournalPage)
    return [(entry.position, entry.type, entry.topics) for entry in page.entries]


@pytest.mark.parametrize("limit", [1, 5, 26, 27, 28, 500])
async def test_every_filter_in_both_orders(
    client: WebClient, redis: Redis, keys: Keys, lives: list[str], limit: int
) -> None:
    everything = await story(redis, keys)
    one, two = lives
    for query, wanted in [
        ({"all": "true"}, lambda topics: True),
        ({"streams": one}, lambda topics: one in topics),
        ({"streams": f"{one},7"}, lambda topics: {one, "7"} & set(topics)),
        ({"users": OTHER}, lambda topics: two in topics),
        ({"users": SENDER}, lambda topics: True),
        ({"users": RECIPIENT, "streams": two}, lambda topics: True),
    ]:
        expected = [place for place, _, topics in everything if not topics or wanted(topics)]
        oldest = [e["id"] for e in await walk(client, order="asc", limit=limit, **query)]
        newest = [e["id"] for e in await walk(client, limit=limit, **query)]
        assert oldest == expected, query
        assert newest == expected[::-1], query


async def test_filters_by_type_limit_how_much_is_read(
    client: WebClient, redis: Redis, keys: Keys, lives: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MAX_READ", 10)
    everything = await story(redis, keys)
    for types in ("stream.created", "stream.paused,stream.resumed", "stream.completed"):
        for query in ({"all": "true"}, {"users": SENDER}):
            expected = [place for place, kind, _ in everything if kind in types]
            for limit in (3, 100):
                given: dict[str, Any] = {"types": types, "limit": limit, **query}
                assert [e["id"] for e in await walk(client, order="asc", **given)] == expected
                assert [e["id"] for e in await walk(client, **given)] == expected[::-1]
    assert (await fetch(client, all="true", types="stream.completed"))["next"]


@pytest.mark.parametrize("prefix", ["/v1", ""])
async def test_the_history_of_a_stream_equals_the_published_events(
    client: WebClient, redis: Redis, keys: Keys, lives: list[str], prefix: str
) -> None:
    page = await fetch(client, f"{prefix}/streams/{lives[0]}/events", order="asc", limit=3)
    assert [e["type"] for e in page["items"]][1:] == ["stream.created", "stream.paused"]
    raw = await client.get(f"/v1/streams/{lives[0]}/events", params={"limit": "1"})
    journal = await Journal(redis, keys).after(START, 1000)
    assert isinstance(journal, JournalPage)
    last = next(e for e in reversed(journal.entries) if lives[0] in e.topics)
    assert last.body in await raw.read()


async def test_subscribing_from_a_page_misses_nothing(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    """Events during the read are in the pages or after their position, never in both."""
    *_, page = await asyncio.gather(*(made(client) for _ in range(30)), fetch(client, all="true"))
    later = await Journal(redis, keys).after(parse_position(page["position"]))
    ids = [e["id"] for e in page["items"]]
    ids += [e.position for e in getattr(later, "entries", ())]
    assert sorted(ids, key=parse_position) == [place for place, *_ in await story(redis, keys)]
    assert len(set(ids)) == len(ids)


async def test_bounds_are_exclusive_and_can_be_any_position(
    client: WebClient, redis: Redis, keys: Keys, lives: list[str]
) -> None:
    places = [place for place, *_ in await story(redis, keys)]
    queries: list[dict[str, Any]] = [{"all": "true"}, {"users": SENDER}]
    for query in queries:
        for low, high in ((3, 9), (0, 1), (5, 5), (9, 3)):
            page = await fetch(client, after=places[low], before=places[high], order="asc", **query)
            assert [e["id"] for e in page["items"]] == places[low + 1 : high]
        for far in ("0-0", "18446744073709551615-18446744073709551615"):
            assert (await fetch(client, before="0-0", after=far, **query))["items"] == []
        assert (await fetch(client, after=places[-1], **query))["items"] == []
        assert len((await fetch(client, after="00000-0000", **query))["items"]) == len(places)


async def test_the_history_of_an_empty_journal(client: WebClient) -> None:
    queries: list[dict[str, Any]] = [{"all": "true"}, {"users": SENDER}]
    for query in queries:
        empty: dict[str, Any] = {"items": [], "next": None, "position": "0-0", "gap": None}
        assert await fetch(client, **query) == empty


async def test_trimmed_entries_are_a_gap_and_leave_the_topics(
    start: StartApi, redis: Redis, keys: Keys
) -> None:
    client = await start(journal_max_length=10)
    ids = [(await made(client, recipient=OTHER))["id"] for _ in range(130)]
    kept = [place for place, *_ in await story_of_kept(redis, keys)]
    assert 10 <= len(kept) < 130
    assert await redis.zcard(keys.topic(f"user:{OTHER}")) == len(kept)
    assert not await redis.exists(keys.topic(ids[0]))
    edge = (await Journal(redis, keys).latest(200))[0].previous
    for query in ({"all": "true"}, {"users": OTHER}, {"streams": ids[0]}):
        for order in ("asc", "desc"):
            page = await fetch(client, order=order, **query)
            assert page["gap"] == {"from": "0-0", "to": edge}
            assert (await fetch(client, order=order, after=edge, **query))["gap"] is None
    page = await fetch(client, all="true", limit=5)
    assert page["gap"] is None, "newest first: what is missing comes last"
    page = await fetch(client, all="true", before=kept[2])
    assert [e["id"] for e in page["items"]] == kept[1::-1]
    assert page["gap"] == {"from": "0-0", "to": edge}


async def story_of_kept(redis: Redis, keys: Keys) -> list[tuple[str, str, Sequence[str]]]:
    entries = await Journal(redis, keys).latest(1000)
    return [(entry.position, entry.type, entry.topics) for entry in entries]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("", "streams"),
        ("all=false", "streams"),
        ("all=yes", "all"),
        ("streams=0", "streams.0"),
        ("streams=7&streams=x", "streams.1"),
        ("users=7,G", "users.0"),
        ("all=true&types=stream.made", "types.0"),
        ("all=true&after=7", "after"),
        ("all=true&before=-", "before"),
        ("all=true&limit=501", "limit"),
        ("all=true&order=up", "order"),
        ("all=true&page=2", "page"),
        ("all=true&all=true", "all"),
    ],
)
async def test_invalid_parameters_are_rejected(
    client: WebClient, query: str, parameter: str
) -> None:
    response = await client.get(f"/v1/events?{query}")
    document = await response.json(content_type=None)
    assert (response.status, document["type"]) == (422, "/problems/invalid")
    assert parameter in {error["parameter"] for error in document["errors"]}


@pytest.mark.parametrize("path", ["x", "0", "api-1", "%2e"])
async def test_the_history_of_an_invalid_id_is_not_found(client: WebClient, path: str) -> None:
    await fetch(client, f"/v1/streams/{path}/events", 404)


async def test_a_token_event_is_in_the_history_of_its_accounts(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    source = Provenance(TOKEN, 9, "2026-07-21T18:01:10Z", "ab" * 32, None)
    facts = {"from": SENDER, "to": OTHER, "amount": "5", "tokenAddress": TOKEN}
    place = Position(toid(9, 1), 0)
    event = Event(EventType.TOKEN_TRANSFER, None, T0, facts, place, source)
    await Committer(redis, keys).record([event], progress={})
    for account, count in ((SENDER, 1), (OTHER, 1), (RECIPIENT, 0)):
        items = (await fetch(client, users=account))["items"]
        assert [each["id"] for each in items] == [str(place)] * count
    assert (await fetch(client, users=OTHER, types="token.mint"))["items"] == []
    [item] = (await fetch(client, all="true", types="token.transfer"))["items"]
    assert facts.items() <= item.items()
