"""Lists of streams: complete and stable, with every filter and combinations."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis
from stellar_sdk import Keypair

from services.api.streams import listing
from shared.domain.position import parse_position
from shared.journal.keys import Keys
from shared.journal.reader import Journal
from tests.api.samples import RECIPIENT, SENDER, T0, TOKEN, Clock, made, on_chain
from tests.support.web_client import WebClient

OTHER = Keypair.random().public_key


async def fetch(client: WebClient, **query: Any) -> dict[str, Any]:
    response = await client.get("/v1/streams", params=query)
    document = await response.json(content_type=None)
    assert response.status == 200, document
    return document


async def everything(
    client: WebClient, between: Callable[[], Awaitable[None]] | None = None, **query: Any
) -> list[str]:
    """The ids of all pages."""
    ids: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await fetch(client, **query, **cursor)
        ids += [item["id"] for item in page["items"]]
        if page["next"] is None:
            return ids
        cursor = {"cursor": page["next"]}
        if between:
            await between()


@pytest.fixture
async def many(client: WebClient, clock: Clock) -> list[str]:
    """300 streams, created over 100 seconds; oldest first."""
    ids = []
    for second in range(100):
        clock.now = T0 + second + 0.5
        ids += sorted([(await made(client))["id"] for _ in range(3)])
    return ids


async def test_an_empty_list(client: WebClient) -> None:
    assert await fetch(client) == {
        "items": [], "tokens": {}, "total": 0, "next": None, "position": "0-0"
    }  # fmt: skip


async def test_pages_are_complete_in_both_orders(client: WebClient, many: list[str]) -> None:
    assert await everything(client, order="asc", limit=37) == many
    assert await everything(client, limit=37) == many[::-1]
    assert await everything(client, limit=100) == many[::-1]  # the last page is full
    page = await fetch(client)
    assert [item["id"] for item in page["items"]] == many[:-51:-1]


async def test_pages_are_stable_while_streams_are_created(
    client: WebClient, many: list[str], clock: Clock
) -> None:
    added = []

    async def add() -> None:
        clock.now += 0.1
        added.append((await made(client))["id"])

    assert await everything(client, add, limit=40) == many[::-1]
    assert added
    oldest_first = await everything(client, add, order="asc", limit=40)
    assert oldest_first[: len(many)] == many
    assert len(oldest_first) == len(set(oldest_first))


async def test_every_filter_and_their_combinations(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    ids = {
        "out": (await made(client))["id"],
        "in": (await made(client, sender=RECIPIENT, recipient=SENDER))["id"],
        "paused": (await made(client, recipient=OTHER))["id"],
        "gone": (await made(client, tokenAddress=TOKEN))["id"],
    }
    await client.post(f"/v1/streams/{ids['paused']}/pause")
    await client.delete(f"/v1/streams/{ids['gone']}")
    await on_chain(redis, keys, 7)
    names = {v: k for k, v in ids.items()} | {"7": "7"}
    cases: list[tuple[dict[str, Any], set[str]]] = [
        ({"sender": SENDER}, {"out", "paused", "gone", "7"}),
        ({"recipient": SENDER}, {"in"}),
        ({"user": OTHER}, set()),
        ({"user": OTHER, "acceptance": "pending"}, {"paused"}),
        ({"user": SENDER}, {"out", "paused", "gone", "7"}),
        ({"status": "active"}, {"out", "in", "7"}),
        ({"status": "completed"}, set()),
        ({"token": TOKEN}, {"out", "in", "paused", "gone", "7"}),
        ({"origin": "chain"}, {"7"}),
        ({"sender": SENDER, "status": "active"}, {"out", "7"}),
        ({"user": RECIPIENT, "status": "active", "origin": "api"}, {"in"}),
        ({"acceptance": "pending", "token": TOKEN}, {"out", "in", "paused", "gone"}),
        ({"sender": SENDER, "recipient": OTHER, "status": "cancelled"}, set()),
    ]
    for query, expected in cases:
        found = await everything(client, **query, limit=1)
        assert sorted(names[i] for i in found) == sorted(expected), query
        assert len(found) == len(set(found))


async def test_several_filters_limit_how_much_is_read(
    client: WebClient, many: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "CHUNK_SIZE", 20)
    monkeypatch.setattr(listing, "MAX_READ", 40)
    wanted = [many[5], many[70], many[299]]
    for stream_id in wanted:
        await client.post(f"/v1/streams/{stream_id}/pause")
    query: dict[str, Any] = {"status": "active", "sender": SENDER, "order": "asc", "limit": 200}
    first = await fetch(client, **query)
    assert [i["id"] for i in first["items"]] == [i for i in many if i not in wanted][:40]
    assert first["next"]
    assert await everything(client, **query) == [i for i in many if i not in wanted]
    assert await everything(client, **query | {"status": "paused"}) == wanted


async def test_the_total_is_known_with_one_filter(client: WebClient, many: list[str]) -> None:
    await client.post(f"/v1/streams/{many[7]}/pause")
    cases: list[tuple[dict[str, Any], int | None]] = [
        ({}, 300),
        ({"status": "active"}, 299),
        ({"status": "paused", "limit": 1}, 1),
        ({"status": "completed"}, 0),
        ({"status": "active", "sort": "updated"}, 299),
        ({"user": OTHER}, 0),
        ({"user": SENDER, "status": "active"}, None),
    ]
    for query, total in cases:
        assert (await fetch(client, **query))["total"] == total, query


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"status": "active"},
        {"sender": SENDER},
        {"token": TOKEN},
        {"recipient": RECIPIENT, "origin": "api"},
    ],
)
async def test_a_list_in_order_of_the_latest_change(
    client: WebClient,
    many: list[str],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    query: dict[str, Any],
) -> None:
    monkeypatch.setattr(listing, "CHUNK_SIZE", 20)
    touched = [many[200], many[3], many[100]]
    for stream_id in touched:
        clock.now += 1
        await client.patch(f"/v1/streams/{stream_id}", json={"metadata": {"label": "x"}})
    order = [i for i in many if i not in touched] + touched
    for limit in (40, 7, 200):
        assert await everything(client, sort="updated", order="asc", limit=limit, **query) == order
    assert await everything(client, sort="updated", limit=40, **query) == order[::-1]


async def test_streams_of_strangers_do_not_fill_a_page_in_order_of_the_latest_change(
    client: WebClient, clock: Clock
) -> None:
    own = await made(client, sender=RECIPIENT, recipient=OTHER)
    clock.now += 1
    for _ in range(60):
        await made(client)
    page = await fetch(client, user=RECIPIENT, sort="updated", limit=50)
    assert [item["id"] for item in page["items"]] == [own["id"]]
    assert (page["total"], page["next"]) == (1, None)


async def test_a_stream_that_changes_while_paging_appears_at_its_new_position(
    client: WebClient, many: list[str], clock: Clock
) -> None:
    clock.now += 5

    async def touch() -> None:
        clock.now += 1
        await client.patch(f"/v1/streams/{many[299]}", json={"metadata": {"label": "x"}})

    seen = await everything(client, touch, sort="updated", order="asc", limit=100)
    assert set(seen) == set(many)
    assert seen[-1] == many[299]


async def test_subscribing_from_the_position_of_a_list_misses_nothing(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    """Streams that are created during the read are in the list or after its position."""
    *created, page = await asyncio.gather(
        *(made(client) for _ in range(30)), fetch(client, limit=200)
    )
    listed = {item["id"] for item in page["items"]}
    later = await Journal(redis, keys).after(parse_position(page["position"]))
    changed = {e.topics[0] for e in getattr(later, "entries", ())}
    assert {d["id"] for d in created} <= listed | changed


async def test_every_invalid_parameter_is_named(client: WebClient) -> None:
    query = {
        "sender": "G", "status": "open", "origin": "moon", "limit": "201",
        "cursor": "x", "order": "up", "token": SENDER, "page": "2", "sort": "size",
    }  # fmt: skip
    response = await client.get("/v1/streams", params=query)
    document = await response.json(content_type=None)
    assert (response.status, document["type"]) == (422, "/problems/invalid")
    assert {e["parameter"] for e in document["errors"]} == set(query)


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=", "limit=5&limit=6", "user="])
async def test_invalid_parameters_are_rejected(client: WebClient, query: str) -> None:
    response = await client.get(f"/v1/streams?{query}")
    (error,) = (await response.json(content_type=None))["errors"]
    assert (response.status, error["parameter"]) == (422, query.partition("=")[0])
