"""Query parameters: malformed subscriptions, and the forms of a resume position."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from shared.domain.position import parse_position
from tests.fanout.replicas import ALICE, SUBSCRIBE, Chain, Replica, StartReplica
from tests.support.sse_client import SseClient

MALFORMED = {
    "": "streams",
    "streams=": "streams",
    "all=false": "streams",
    "types=stream.created": "streams",
    "streams=0": "streams",
    "streams=-1": "streams",
    "streams=1,x": "streams",
    "streams=18446744073709551616": "streams",
    "streams=api-1": "streams",
    "streams=%2A": "streams",
    "streams=user:G": "streams",
    "streams=1%0A2": "streams",
    "streams=%FF": "streams",
    "users=GABC": "users",
    f"users={ALICE[:-1]}A": "users",
    f"users={ALICE.lower()}": "users",
    "all=1": "all",
    "all=TRUE": "all",
    "streams=1&types=stream.nonsense": "types",
    "streams=1&types=sync": "types",
}


async def test_a_malformed_subscription_gets_a_problem_that_names_the_parameter(
    replica: Replica,
) -> None:
    for query, parameter in MALFORMED.items():
        status, text = await replica.get(f"{SUBSCRIBE}?{query}")
        problem = json.loads(text)
        assert (status, problem["status"]) == (400, 400), query
        assert problem["type"] == "/problems/invalid-subscription"
        assert parameter in [e["parameter"] for e in problem["errors"]], (query, problem)
    _, text = await replica.get(f"{SUBSCRIBE}?streams=x&users=y&all=z&types=t")
    named = {e["parameter"] for e in json.loads(text)["errors"]}
    assert named == {"streams", "users", "all", "types"}


@pytest.mark.parametrize("name", ["last_event_id", "lastEventId", "lastEventID", "since", "cursor"])
async def test_a_resume_position_in_the_header_overrides_one_in_the_query(
    start: StartReplica, chain: Chain, clients: list[SseClient], name: str
) -> None:
    replica = await start()
    positions = await chain.commit_many(5)
    client = await replica.subscribe(f"all=true&{name}={positions[1]}")
    above = await replica.subscribe(f"all=true&{name}={positions[1]}", since=positions[3])
    padded = await replica.subscribe(f"all=true&{name}=000{positions[3]}")
    clients += [client, above, padded]
    for each in clients:
        await each.wait_id(positions[-1])
    assert client.positions == positions[2:]
    assert above.positions == padded.positions == positions[4:]


async def test_a_malformed_position_gets_reset_and_then_live_events(
    replica: Replica, chain: Chain, clients: list[SseClient]
) -> None:
    *_, top = await chain.commit_many(2)
    await replica.at(top)
    for given in ("x", "7", "1-2-3", "-1-0", "99999999999999999999-0", "1-0\t;", "0x1-0", "١-٠"):
        client = await replica.subscribe("all=true", headers={"Last-Event-ID": given})
        clients.append(client)
        await client.wait(1, "reset")
        assert [e.name for e in client.events[:2]] == ["message", "reset"]
        assert {e.own_id for e in client.events[:2]} == {top}
        assert client.events[1].json["position"] == top
    strange = await replica.subscribe("all=true", headers={"Last-Event-ID": b"\xff\xfe"})
    query = await replica.subscribe(f"all=true&since={quote('a' + chr(10) + 'id: 9-9')}")
    clients += [strange, query]
    (live,) = await chain.commit()
    for client in clients:
        await client.wait_id(live)
        assert client.positions == [live]
        assert client.parser.faults == []


async def test_a_position_of_another_journal_gets_reset_and_then_live_events(
    replica: Replica, chain: Chain, clients: list[SseClient]
) -> None:
    *_, top = await chain.commit_many(2)
    await replica.at(top)
    future = str(parse_position(top)._replace(n=5))
    for given in (future, "9999999999999999999-0", "18446744073709551615-18446744073709551615"):
        client = await replica.subscribe("all=true", since=given)
        clients.append(client)
        await client.wait(1, "reset")
        assert client.events[0].own_id == given
        assert client.named("reset")[0].own_id == client.last_id == top
    (live,) = await chain.commit()
    for client in clients:
        await client.wait_id(live)
        assert client.positions == [live]
