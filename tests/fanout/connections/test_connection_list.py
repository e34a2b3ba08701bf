"""Admins list the connections of a replica, in pages of bounded work, and end single ones."""

from __future__ import annotations

import json
import time
from typing import Any

import aiohttp
import pytest

from tests.fanout.replicas import ALICE, BOB, Chain, Replica, StartReplica
from tests.fanout.tokens import bearer, token
from tests.support.sse_client import SseClient
from tests.support.waiting import until

PATH = "/v1/events/connections"
MUXED = "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUQ"
BASE = "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"  # of the example in SEP-23
ADMIN = bearer(token(BOB, scope="admin"))


async def listed(replica: Replica, query: str = "", **more: Any) -> dict[str, Any]:
    code, text = await replica.get(f"{PATH}?{query}", **more)
    assert code == 200, text
    page: dict[str, Any] = json.loads(text)
    return page


async def end(replica: Replica, connection: str, **more: Any) -> int:
    url = f"http://127.0.0.1:{replica.port}{PATH}/{connection}"
    async with aiohttp.ClientSession() as session, session.delete(url, **more) as response:
        return response.status


def id_of(client: SseClient) -> str:
    return str(client.events[0].json["clientId"])


async def test_each_connection_is_listed_under_the_id_that_its_client_got(
    replica: Replica, chain: Chain, clients: list[SseClient]
) -> None:
    began = time.time()
    every = await replica.subscribe()
    clients.append(every)
    some = await replica.subscribe("streams=7,8&types=stream.created&view=compact")
    clients.append(some)
    await chain.commit()
    await every.wait(1, "stream.created")
    await until(lambda: (tip := replica.components.feed.tip) and tip.closed_at, what="the ledger")
    page = await listed(replica)
    items = {item["id"]: item for item in page.pop("items")}
    assert page.pop("lagSeconds") > 0
    assert page == {"next": None, "connections": 2}
    assert set(items) == {id_of(every), id_of(some)}
    assert began - 1 < items[id_of(every)].pop("connectedAt") < time.time() + 1
    assert items[id_of(every)] == {
        "id": id_of(every),
        "account": None,
        "address": "127.0.0.1",
        "replaying": False,
        "topics": ["*"],
        "topicCount": 1,
        "types": None,
        "view": "full",
        "gzip": False,
        "events": 1,
        "backlogBytes": 0,
        "behindSince": None,
    }
    assert items[id_of(some)]["topics"] == ["7", "8"]
    assert items[id_of(some)]["types"] == ["stream.created"]
    assert items[id_of(some)]["view"] == "compact"


async def test_pages_have_each_connection_once(replica: Replica, clients: list[SseClient]) -> None:
    clients += [await replica.subscribe() for _ in range(5)]
    found: list[str] = []
    sizes, cursor = [], "0"
    while cursor is not None:
        page = await listed(replica, f"limit=2&cursor={cursor}")
        found += [item["id"] for item in page["items"]]
        sizes.append(len(page["items"]))
        cursor = page["next"]
    assert sizes == [2, 2, 1]
    assert sorted(found) == sorted(map(id_of, clients))


async def test_connections_are_found_by_account_and_topic(
    auth_replica: Replica, stream: str, clients: list[SseClient]
) -> None:
    async def connect(account: str, query: str, **more: Any) -> SseClient:
        headers = bearer(token(account, **more))
        clients.append(await auth_replica.subscribe(query, headers=headers))
        return clients[-1]

    async def found(query: str) -> set[str]:
        page = await listed(auth_replica, query, headers=ADMIN)
        return {item["id"] for item in page["items"]}

    alice = await connect(ALICE, f"users={ALICE}")
    alice_too = await connect(f"{ALICE}:7", f"streams={stream}", scope="events:all")
    muxed = await connect(MUXED, f"users={MUXED}")
    bob = await connect(BOB, f"streams={stream}")
    every = await connect(BOB, "all=true", scope="events:all")
    assert await found(f"account={ALICE}") == {id_of(alice), id_of(alice_too)}
    assert await found(f"account={BASE}") == {id_of(muxed)} == await found(f"account={MUXED}")
    assert await found(f"topic={stream}") == {id_of(alice_too), id_of(bob)}
    assert await found(f"topic=user:{ALICE}") == {id_of(alice)}
    assert await found("topic=*") == {id_of(every)}
    assert await found(f"topic={stream}&account={BOB}") == {id_of(bob)}
    assert await found("topic=8") == set()


async def test_a_connection_that_an_admin_ends_gets_goodbye_and_resumes_without_loss(
    replica: Replica, chain: Chain, clients: list[SseClient]
) -> None:
    ended, other = await replica.subscribe(), await replica.subscribe()
    clients += [ended, other]
    (first,) = await chain.commit()
    await ended.wait_id(first)
    assert await end(replica, id_of(ended)) == 204
    await until(ended.closed.is_set, what="the end")
    goodbye = ended.events[-1]
    assert (goodbye.name, goodbye.own_id) == ("goodbye", None)
    assert goodbye.json == {"reason": "ended_by_admin", "retry": goodbye.retry}
    assert await replica.metric("disconnects_total", reason="ended_by_admin") >= 1
    assert await end(replica, id_of(ended)) == 404, "it has ended"
    (second,) = await chain.commit()
    await other.wait_id(second)
    again = await replica.subscribe(since=ended.last_id)
    clients.append(again)
    await again.wait_id(second)
    assert again.positions == [second]
    assert {item["id"] for item in (await listed(replica))["items"]} == {id_of(other), id_of(again)}


async def test_a_connection_can_be_ended_while_it_replays(
    replica: Replica, chain: Chain, clients: list[SseClient]
) -> None:
    first, *_ = await chain.commit_many(400, padding=10_000)
    stalled = await replica.subscribe(since=first, stalled=True, receive_buffer=4096)
    clients.append(stalled)
    await until(lambda: replica.components.registry.count, what="the connection")
    (item,) = (await listed(replica))["items"]
    assert (item["replaying"], item["topics"], item["topicCount"]) == (True, None, None)
    assert (await listed(replica, "topic=*"))["items"] == [], "its topics are not known yet"
    assert await end(replica, item["id"]) == 204
    assert (await listed(replica))["connections"] == 0
    stalled.resume()
    await until(stalled.closed.is_set, what="the end")


@pytest.mark.parametrize("connection", ["0", "f" * 24, "é" * 24, "0123456789abcdef00000007"])
async def test_an_id_that_no_connection_has_is_404(
    replica: Replica, clients: list[SseClient], connection: str
) -> None:
    clients.append(await replica.subscribe())
    assert await end(replica, connection) == 404
    assert replica.components.registry.count == 1


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("topic=x", "topic"),
        ("topic=user:G1", "topic"),
        ("cursor=-1", "cursor"),
        ("cursor=1234567890", "cursor"),
    ],
)
async def test_a_malformed_parameter_is_named(replica: Replica, query: str, parameter: str) -> None:
    code, text = await replica.get(f"{PATH}?{query}")
    problem = json.loads(text)
    assert (code, [error["parameter"] for error in problem["errors"]]) == (400, [parameter])


async def test_only_admins_may_list_and_end(
    auth_replica: Replica, stream: str, clients: list[SseClient]
) -> None:
    alice = bearer(token(ALICE, scope="events:all"))
    clients.append(await auth_replica.subscribe("all=true", headers=alice))
    (item,) = (await listed(auth_replica, headers=ADMIN))["items"]
    assert item["account"] == ALICE
    admin = ADMIN["Authorization"].removeprefix("Bearer ")
    for headers, code in (({}, 401), (alice, 403)):
        assert (await auth_replica.get(PATH, headers=headers))[0] == code
        assert await end(auth_replica, item["id"], headers=headers) == code
    # Browsers send cookies unasked, also for requests that another site makes.
    cookie = {"Cookie": f"headrace_token={admin}"}
    assert (await auth_replica.get(PATH, headers=cookie))[0] == 200
    assert await end(auth_replica, item["id"], headers=cookie) == 401
    assert await end(auth_replica, f"{item['id']}?access_token={admin}") == 401
    assert await end(auth_replica, item["id"], headers=ADMIN) == 204


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        ({"trusted_proxies": "127.0.0.1/32"}, None),
        ({"trusted_proxies": "127.0.0.1/32", "connections_per_ip": "9"}, "203.0.113.7"),
        ({"trusted_proxies": "10.0.0.0/8"}, "127.0.0.1"),
    ],
)
async def test_the_address_is_the_clients_or_null(
    start: StartReplica, clients: list[SseClient], settings: dict[str, Any], address: str | None
) -> None:
    replica = await start(**settings)
    clients.append(await replica.subscribe(headers={"X-Forwarded-For": "203.0.113.7"}))
    (item,) = (await listed(replica))["items"]
    assert item["address"] == address
