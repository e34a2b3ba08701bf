"""Redeliveries in the API: asked for, seen, stopped, and refused."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from shared.domain.position import Position, parse_position
from shared.journal.keys import Keys
from shared.webhooks.changes import Change, ChangeKind, ChangeLog
from shared.webhooks.progress import Progress
from shared.webhooks.redeliveries import MOST_REDELIVERIES, Redelivery, RedeliveryStore
from tests.api.samples import made
from tests.api.webhooks.samples import answer_of, created, delivered
from tests.support.web_client import WebClient


async def test_events_of_a_range_are_delivered_once_more(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    first, last = [(await made(client))["position"] for _ in range(2)]
    name = (await created(client, {}, all=True))["id"]
    path = f"/{name}/redeliver"
    body = {"from": first, "to": first}
    status, one = await answer_of(client, "POST", path, json=body)
    assert (status, one) == (202, body | {"id": one["id"]})
    _, to_the_end = await answer_of(client, "POST", path, json={"from": first})
    assert to_the_end["to"] == last
    begin = parse_position(first)
    after = Position(begin.toid, begin.n - 1)
    rows = {each.id: each for each in await RedeliveryStore(redis, keys).of_endpoint(name)}
    assert (rows[one["id"]].after, rows[one["id"]].to) == (after, begin)
    status, problem = await answer_of(client, "POST", path, json={"from": last, "to": first})
    assert (status, problem["errors"][0]["pointer"]) == (422, "/to")
    above = str(Position(begin.toid + 1, 0))
    status, problem = await answer_of(client, "POST", path, json={"from": above})
    assert (status, problem["errors"][0]["pointer"]) == (422, "/from")
    far = {"from": first, "to": "9000000000000000000-0"}
    status, problem = await answer_of(client, "POST", path, json=far)
    told = {"pointer": "/to", "detail": f"is above the newest event, which is at {last}"}
    assert (status, problem["errors"]) == (422, [told])


async def test_few_redeliveries_run_at_once(client: WebClient) -> None:
    first = (await made(client))["position"]
    path = f"/{(await created(client, {}, all=True))['id']}/redeliver"
    body = {"from": first}
    statuses = [
        (await answer_of(client, "POST", path, json=body))[0] for _ in range(MOST_REDELIVERIES + 1)
    ]
    assert statuses == [202] * MOST_REDELIVERIES + [429]
    _, listed = await answer_of(client, "GET", path.replace("redeliver", "redeliveries"))
    one = listed["items"][0]["id"]
    end = path.replace("redeliver", f"redeliveries/{one}")
    assert (await answer_of(client, "DELETE", end))[0] == 204
    assert (await answer_of(client, "POST", path, json=body))[0] == 202


async def test_a_redelivery_shows_what_is_left_of_its_range(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    first, second, last = [(await made(client))["position"] for _ in range(3)]
    path = f"/{(await created(client, {}, all=True))['id']}"
    assert await answer_of(client, "GET", f"{path}/redeliveries") == (200, listed())
    _, asked = await answer_of(client, "POST", f"{path}/redeliver", json={"from": first})
    assert await answer_of(client, "GET", f"{path}/redeliveries") == (200, listed(asked))
    at = parse_position(second)
    moved = Redelivery(asked["id"], Position(at.toid, at.n - 1), parse_position(last))
    await redis.set(keys.webhook_partition(1), "dispatcher")
    store = RedeliveryStore(redis, keys)
    assert await store.move(path[1:], moved, partition=1, token="dispatcher")
    left = {"id": asked["id"], "from": second, "to": last}
    assert await answer_of(client, "GET", f"{path}/redeliveries") == (200, listed(left))


def listed(*items: dict[str, Any]) -> dict[str, Any]:
    return {"items": list(items), "next": None}


async def test_a_redelivery_can_begin_with_the_first_event(client: WebClient) -> None:
    await made(client)
    path = f"/{(await created(client, {}, all=True))['id']}"
    _, asked = await answer_of(client, "POST", f"{path}/redeliver", json={"from": "0-0"})
    assert asked["from"] == "0-0"


async def test_a_redelivery_can_be_stopped(client: WebClient, redis: Redis, keys: Keys) -> None:
    await made(client)
    name = (await created(client, {}, all=True))["id"]
    _, asked = await answer_of(client, "POST", f"/{name}/redeliver", json={"from": "0-0"})
    log, path = ChangeLog(redis, keys), f"/{name}/redeliveries/{asked['id']}"
    before = await log.end()
    assert await answer_of(client, "DELETE", path) == (204, None)
    found = await log.after(before)
    assert found
    assert found[1] == [Change(name, ChangeKind.REDELIVER, asked["id"])]
    assert await RedeliveryStore(redis, keys).of_endpoint(name) == []
    status, problem = await answer_of(client, "DELETE", path)
    assert (status, problem["type"]) == (404, "/problems/not-found")
    assert asked["id"] in problem["detail"]


async def test_a_disabled_webhook_must_be_enabled_before_a_redelivery(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    await made(client)
    name = (await created(client, {}, all=True))["id"]
    await delivered(redis, keys, name, Progress(1, Position(7, 1), disabled="gone"))
    path, body = f"/{name}/redeliver", {"from": "0-0"}
    status, problem = await answer_of(client, "POST", path, json=body)
    assert (status, problem["type"]) == (409, "/problems/refused")
    assert "enable it first" in problem["detail"]
    assert await RedeliveryStore(redis, keys).of_endpoint(name) == []
    await answer_of(client, "PATCH", f"/{name}", json={"enabled": True})
    assert (await answer_of(client, "POST", path, json=body))[0] == 202


async def test_a_paused_webhook_accepts_a_redelivery(client: WebClient) -> None:
    await made(client)
    name = (await created(client, {}, all=True, enabled=False))["id"]
    status, _ = await answer_of(client, "POST", f"/{name}/redeliver", json={"from": "0-0"})
    assert status == 202
