"""Webhooks: created, read, changed and deleted by their owner."""

from __future__ import annotations

import time
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.domain.position import Position, parse_position
from shared.domain.topics import user_topic
from shared.journal.keys import Keys
from shared.journal.reader import Journal
from shared.webhooks.attempts import Attempt, AttemptKind
from shared.webhooks.endpoint import Endpoint
from shared.webhooks.progress import Progress
from shared.webhooks.store import EndpointStore
from tests.api.auth.samples import ALICE, writer
from tests.api.samples import SENDER, made, on_chain
from tests.api.webhooks.samples import URL, answer_of, created, delivered
from tests.support.web_client import StartApi, WebClient

OWNER = writer(ALICE)


async def stored(redis: Redis, keys: Keys, endpoint_id: str) -> Endpoint:
    return (await EndpointStore(redis, keys).load([endpoint_id]))[endpoint_id]


async def test_without_filters_it_gets_the_events_of_its_owner(
    secure: WebClient, redis: Redis, keys: Keys
) -> None:
    await on_chain(redis, keys, 7)
    document = await created(secure, OWNER, description="orders")
    endpoint = await stored(redis, keys, document["id"])
    assert endpoint.subscription.topics == (user_topic(ALICE.public_key),)
    assert (endpoint.account, endpoint.sees_all) == (ALICE.public_key, False)
    assert endpoint.begins_after == (await Journal(redis, keys).tip()).top
    assert document["users"] == [ALICE.public_key]
    assert (document["state"], document["description"]) == ("active", "orders")
    assert document["position"] == str(endpoint.begins_after)
    assert abs(document["createdAt"] - time.time()) < 60


async def test_it_is_read_as_it_was_created_but_without_the_secret(secure: WebClient) -> None:
    chosen = {"types": ["stream.created"], "batch": 10, "order": "stream", "enabled": False}
    document = await created(secure, OWNER, **chosen)
    assert document["secret"].startswith("whsec_")
    assert document.items() >= chosen.items()
    status, read = await answer_of(secure, "GET", f"/{document['id']}", headers=OWNER)
    assert (status, read) == (200, {k: v for k, v in document.items() if k != "secret"})
    _, listed = await answer_of(secure, "GET", "", headers=OWNER)
    assert listed == {"items": [read], "next": None}
    assert read["state"] == "paused"


async def test_a_webhook_begins_with_the_event_at_from(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    stream = await made(client)
    first = parse_position(stream["position"])
    document = await created(client, {}, all=True, **{"from": stream["position"]})
    begins_after = (await stored(redis, keys, document["id"])).begins_after
    assert begins_after == Position(first.toid, first.n - 1)
    above = str(Position(first.toid + 1, 0))
    body = {"url": URL, "all": True, "from": above}
    status, problem = await answer_of(client, "POST", "", json=body)
    assert (status, problem["errors"][0]["pointer"]) == (422, "/from")
    assert stream["position"] in problem["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"url": "http://shop.example/"}, "/url"),
        ({"url": "https://10.0.0.1/"}, "/url"),
        ({"url": "https://u:p@shop.example/"}, "/url"),
        ({"url": "https://shop.example/" + "x" * 2048}, "/url"),
        ({"batch": 0}, "/batch"),
        ({"batch": 101}, "/batch"),
        ({"order": "none"}, "/order"),
        ({"streams": ["x"]}, "/streams/0"),
        ({"users": ["GABC"]}, "/users/0"),
        ({"types": ["stream.renamed"]}, "/types/0"),
        ({"description": "x" * 201}, "/description"),
        ({"secret": "whsec_x"}, "/secret"),
        ({"from": "7"}, "/from"),
    ],
)
async def test_each_wrong_field_is_named(
    secure: WebClient, change: dict[str, Any], pointer: str
) -> None:
    body = {"url": URL} | change
    status, problem = await answer_of(secure, "POST", "", json=body, headers=OWNER)
    assert (status, [e["pointer"] for e in problem["errors"]]) == (422, [pointer])
    made_one = await created(secure, OWNER)
    path = f"/{made_one['id']}"
    status, problem = await answer_of(secure, "PATCH", path, json=change, headers=OWNER)
    assert (status, [e["pointer"] for e in problem["errors"]]) == (422, [pointer])


async def test_in_open_mode_topics_are_needed(client: WebClient) -> None:
    status, problem = await answer_of(client, "POST", "", json={"url": URL})
    assert (status, problem["errors"]) == (
        422,
        [{"pointer": "", "detail": "give at least one of streams, users, all: true"}],
    )
    document = await created(client, {}, users=[SENDER])
    assert (document["account"], document["users"]) == (None, [SENDER])


async def test_a_receiver_on_this_machine_needs_the_operators_consent(start: StartApi) -> None:
    client = await start(webhook_allowed_networks="127.0.0.0/8")
    await created(client, {}, all=True, url="http://127.0.0.1:8080/hook")


async def test_a_change_keeps_what_was_not_sent(
    secure: WebClient, redis: Redis, keys: Keys
) -> None:
    document = await created(secure, OWNER, types=["stream.created"], batch=5)
    path = f"/{document['id']}"
    status, changed = await answer_of(
        secure, "PATCH", path, json={"description": "new"}, headers=OWNER
    )
    expected = {k: v for k, v in document.items() if k != "secret"}
    assert (status, changed) == (200, expected | {"description": "new", "version": 2})
    endpoint = await stored(redis, keys, document["id"])
    assert (endpoint.generation, endpoint.revision) == (1, 2)
    _, same = await answer_of(secure, "PATCH", path, json={"description": "new"}, headers=OWNER)
    assert same == changed, "nothing to change is no change"
    _, again = await answer_of(secure, "PATCH", path, json={"types": []}, headers=OWNER)
    assert (again["types"], again["users"]) == ([], [ALICE.public_key])


async def test_one_filter_is_changed_at_a_time(client: WebClient) -> None:
    document = await created(client, {}, users=[SENDER], streams=["7"])
    path = f"/{document['id']}"
    _, changed = await answer_of(client, "PATCH", path, json={"streams": ["8", "9"]})
    assert (changed["streams"], changed["users"], changed["all"]) == (["8", "9"], [SENDER], False)
    _, changed = await answer_of(client, "PATCH", path, json={"all": True, "users": []})
    assert (changed["streams"], changed["users"], changed["all"]) == (["8", "9"], [], True)
    status, problem = await answer_of(client, "PATCH", path, json={"all": False, "streams": []})
    assert (status, problem["errors"][0]["pointer"]) == (422, "")


async def test_of_two_changes_of_one_version_the_second_is_refused(secure: WebClient) -> None:
    document = await created(secure, OWNER)
    path, tagged = f"/{document['id']}", OWNER | {"If-Match": '"1"'}
    assert (await answer_of(secure, "PATCH", path, json={"batch": 2}, headers=tagged))[0] == 200
    status, problem = await answer_of(secure, "PATCH", path, json={"batch": 3}, headers=tagged)
    assert (status, problem["version"]) == (412, 2)
    assert document["id"] in problem["detail"]
    async with secure.get(f"/v1/webhooks{path}", headers=OWNER) as response:
        assert response.headers["ETag"] == '"2"'


async def test_a_deleted_webhook_is_gone(secure: WebClient) -> None:
    path = f"/{(await created(secure, OWNER))['id']}"
    assert await answer_of(secure, "DELETE", path, headers=OWNER) == (204, None)
    for method, end in [("GET", ""), ("DELETE", ""), ("GET", "/deliveries"), ("POST", "/test")]:
        status, problem = await answer_of(secure, method, path + end, headers=OWNER)
        assert (status, problem["type"]) == (404, "/problems/not-found")


async def test_a_page_says_where_the_next_one_begins(secure: WebClient) -> None:
    ids = [(await created(secure, OWNER))["id"] for _ in range(5)]
    seen, cursor = [], ""
    for _ in range(3):
        _, page = await answer_of(secure, "GET", f"?limit=2{cursor}", headers=OWNER)
        seen += [each["id"] for each in page["items"]]
        cursor = f"&cursor={page['next']}"
    assert (sorted(seen), page["next"]) == (sorted(ids), None)


async def test_the_last_attempts_are_shown(secure: WebClient, redis: Redis, keys: Keys) -> None:
    document = await created(secure, OWNER)
    progress = Progress(1, Position(7, 1), failures=3, failing_since=50.5, retry_at=99.5)
    attempt = Attempt(98.25, AttemptKind.EVENT, "7-2", 1, 0.5, status=500, answer="oops")
    await delivered(redis, keys, document["id"], progress, attempt)
    path = f"/{document['id']}"
    _, listed = await answer_of(secure, "GET", f"{path}/deliveries", headers=OWNER)
    assert listed["items"] == [
        {
            "at": 98.25, "kind": "event", "messageId": "7-2", "events": 1, "seconds": 0.5,
            "taken": False, "status": 500, "answer": "oops", "error": "",
        }
    ]  # fmt: skip
    _, read = await answer_of(secure, "GET", path, headers=OWNER)
    assert (read["state"], read["failures"], read["position"]) == ("failing", 3, "7-1")
    assert (read["failingSince"], read["retryAt"]) == (50, 99)
