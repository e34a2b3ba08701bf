"""Requests to subscribe: response headers, first event, filters, methods, CORS and odd input."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from tests.fanout.replicas import ALICE, BOB, CAROL, SUBSCRIBE, Chain, Replica, StartReplica
from tests.fanout.turns import turn
from tests.support.sse_client import SseClient
from tests.support.sse_parser import Event
from tests.support.waiting import until

SETTINGS = {"sync_seconds": 0.5, "max_topics": 10_000, "cors_origins": "https://a.example"}


@pytest.fixture
async def replica(start: StartReplica) -> Replica:
    return await start(**SETTINGS)


@pytest.fixture(params=["asyncio", "process"])
async def either(
    request: pytest.FixtureRequest, start: StartReplica, launch: StartReplica
) -> Replica:
    """A replica in this process on asyncio's loop, or in a separate process on uvloop."""
    return await (start if request.param == "asyncio" else launch)(**SETTINGS)


async def test_the_first_frame_is_connected_at_the_current_position(
    either: Replica, chain: Chain, clients: list[SseClient]
) -> None:
    *_, top = await chain.commit_many(3)
    await either.at(top)
    client = await either.subscribe(f"streams=7&users={ALICE}&streams=8,7")
    clients.append(client)
    assert client.status == 200
    assert client.headers["content-type"] == "text/event-stream"
    assert client.headers["cache-control"] == "no-store, no-transform"
    assert client.headers["x-accel-buffering"] == "no"
    assert client.headers["connection"] == "close"
    assert "transfer-encoding" not in client.headers
    assert bytes(client.body).startswith(b"retry: ")
    first = client.events[0]
    assert (first.name, first.own_id) == ("message", top)
    assert 1000 <= (first.retry or 0) <= 3000
    assert first.json.pop("clientId")
    assert {k: v for k, v in first.json.items() if k != "clientId"} == {
        "type": "connected",
        "subscriptions": ["7", "8", f"user:{ALICE}"],
        "position": top,
    }
    (live,) = await chain.commit()
    await client.wait_id(live)
    assert client.positions == [live]
    assert client.parser.faults == []


async def test_with_a_resume_position_connected_has_it_and_missed_events_follow(
    either: Replica, chain: Chain, clients: list[SseClient]
) -> None:
    positions = await chain.commit_many(6)
    client = await either.subscribe("all=true", since=positions[1])
    clients.append(client)
    await client.wait_id(positions[-1])
    assert client.events[0].json["position"] == client.events[0].own_id == positions[1]
    assert client.positions == positions[2:]
    start = await either.subscribe("all=true", since="0-0")
    clients.append(start)
    await start.wait_id(positions[-1])
    assert start.positions == positions


async def test_a_subscriber_gets_its_events_once_and_all_broadcasts(
    either: Replica, chain: Chain, clients: list[SseClient]
) -> None:
    clients += [
        await either.subscribe("streams=1"),
        await either.subscribe("streams=1,2"),
        await either.subscribe("streams=1&streams=2"),
        await either.subscribe(f"users={CAROL}"),
        await either.subscribe(f"streams=1&users={ALICE}&users={BOB},{CAROL}&all=true"),
        await either.subscribe("all=true&types=stream.fee_collected,contract.initialized"),
        await either.subscribe("streams=1&types=stream.fee_collected"),
    ]
    one, two, third, fee, all_of_us = await chain.commit(
        chain.event(1),
        chain.event(2),
        chain.event(3, recipient=CAROL),
        chain.fee(1),
        chain.broadcast(),
    )
    (last,) = await chain.commit(chain.broadcast())
    for client in clients[:6]:
        await client.wait_id(last)
    await clients[6].wait_id(fee)
    both = [one, two, fee, all_of_us, last]
    assert [c.positions for c in clients] == [
        [one, fee, all_of_us, last],
        both,
        both,
        [third, all_of_us, last],
        [one, two, third, fee, all_of_us, last],
        [fee, all_of_us, last],
        [fee],
    ]
    event = clients[0].named("stream.created")[0]
    assert (event.name, event.json["id"], event.json["type"]) == ("stream.created", one, event.name)
    assert event.json["stream"]["position"] == one
    assert not any(c.parser.faults for c in clients)


async def test_a_replay_applies_the_same_filter_as_live_events(
    replica: Replica, chain: Chain, clients: list[SseClient]
) -> None:
    one, two, fee, everyone = await chain.commit(
        chain.event(1), chain.event(2), chain.fee(1), chain.broadcast()
    )
    for query, expected in (
        ("streams=1", [one, fee, everyone]),
        (f"streams=2&users={ALICE}", [one, two, fee, everyone]),
        ("all=true&types=stream.fee_collected", [fee]),
    ):
        client = await replica.subscribe(query, since="0-0")
        clients.append(client)
        await client.wait_id(expected[-1])
        assert client.positions == expected


async def test_sync_repeats_position_ledger_and_lag(
    replica: Replica, chain: Chain, clients: list[SseClient]
) -> None:
    client = await replica.subscribe("streams=999")
    clients.append(client)
    (top,) = await chain.commit()

    def synced() -> list[Event]:
        return [e for e in client.named("sync") if e.json["position"] == top and e.json["ledger"]]

    def intervals() -> list[float]:
        return [later.at - sync.at for sync, later in pairwise(client.named("sync"))]

    await until(synced)
    await until(lambda: min(intervals(), default=9) < 1.5, what="two syncs without a stall")
    assert min(intervals()) > 0.3
    syncs = client.named("sync")
    assert (syncs[-1].own_id, client.last_id) == (top, top)
    assert syncs[-1].json["ledger"] == chain.ledger
    assert syncs[-1].json["ledgerClosedAt"] == "2026-07-21T18:01:10Z"
    assert syncs[-1].json["lagSeconds"] > 0
    assert client.positions == []
    assert client.parser.faults == []


@pytest.mark.parametrize("path", [SUBSCRIBE, "/events/subscribe"])
async def test_both_paths_accept_only_get(
    replica: Replica, clients: list[SseClient], path: str
) -> None:
    client = await SseClient.connect(replica.port, f"{path}?all=true")
    clients.append(client)
    await client.wait(1)
    for method in ("HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
        other = await SseClient.connect(replica.port, f"{path}?all=true", method=method)
        clients.append(other)
        await other.answered()
        assert other.status == 405
        assert other.headers["content-type"] == "application/problem+json"
        assert "GET" in other.headers["allow"]


async def test_cors_returns_the_exact_origin_and_answers_preflights(
    replica: Replica, clients: list[SseClient]
) -> None:
    good = await replica.subscribe(headers={"Origin": "https://a.example"})
    bad = await replica.subscribe(headers={"Origin": "https://a.example.evil"})
    none = await replica.subscribe()
    clients += [good, bad, none]
    assert good.headers["access-control-allow-origin"] == "https://a.example"
    assert good.headers["access-control-allow-credentials"] == "true"
    assert "access-control-allow-origin" not in bad.headers | none.headers
    assert {c.headers["vary"] for c in clients} == {"Origin"}
    preflight = await SseClient.connect(
        replica.port,
        SUBSCRIBE,
        method="OPTIONS",
        headers={
            "Origin": "https://a.example",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "last-event-id",
        },
    )
    clients.append(preflight)
    await preflight.answered()
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == "https://a.example"
    assert "last-event-id" in preflight.headers["access-control-allow-headers"].lower()


async def test_an_origin_with_non_ascii_bytes_is_not_repeated(
    start: StartReplica, clients: list[SseClient]
) -> None:
    replica = await start(cors_origins="*")
    origin = b"http://\xe2\x82\xac\xff.example"
    client = await replica.subscribe(headers={"Origin": origin})
    clients.append(client)
    assert client.status == 200
    assert "access-control-allow-origin" not in client.headers


async def test_ten_thousand_topics_in_one_url_are_accepted(
    either: Replica, chain: Chain, clients: list[SseClient]
) -> None:
    names = ",".join(str(n) for n in range(1, 10_001))
    client = await either.subscribe(f"streams={names}")
    clients.append(client)
    assert len(client.events[0].json["subscriptions"]) == 10_000
    positions = await chain.commit(chain.event(9_999), chain.event(20_000), chain.event(1))
    await client.wait_id(positions[2])
    assert client.positions == [positions[0], positions[2]]
    status, text = await either.get(f"{SUBSCRIBE}?streams={names},10001")
    assert status == 400
    assert "10001" in json.loads(text)["detail"]


async def test_a_pipelined_request_or_garbage_gets_no_response(
    either: Replica, chain: Chain, clients: list[SseClient]
) -> None:
    client = await either.subscribe("all=true")
    clients.append(client)
    for _ in range(20):
        client.send(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n\0\xff garbage " * 50)
        await turn()
    positions = await chain.commit_many(20)
    await client.wait_id(positions[-1])
    assert client.positions == positions
    assert b"HTTP/1.1" not in client.body
    assert client.parser.faults == []


async def test_a_request_whose_body_never_arrives_still_subscribes(
    either: Replica, chain: Chain, clients: list[SseClient]
) -> None:
    client = await either.subscribe("all=true", headers={"Content-Length": "100"})
    clients.append(client)
    (live,) = await chain.commit()
    await client.wait_id(live)
    assert client.positions == [live]
    assert b"HTTP/1.1" not in client.body
