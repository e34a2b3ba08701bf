"""Webhooks: who may create, read and change them."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from shared.domain.topics import user_topic
from shared.journal.keys import Keys
from shared.webhooks.store import EndpointStore, new_endpoint_id
from tests.api.auth.samples import ADMIN, ALICE, BOB, bearer, token_of, writer
from tests.api.samples import order
from tests.api.webhooks.samples import URL, answer_of, created
from tests.support.web_client import WebClient

OWNER, OTHER = writer(ALICE), writer(BOB)
READER = bearer(token_of(ALICE.public_key))
EVERYTHING = bearer(token_of(ALICE.public_key, "streams:write", "events:all"))

EVERY_USE: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", "", None),
    ("PATCH", "", {"batch": 2}),
    ("DELETE", "", None),
    ("POST", "/test", None),
    ("POST", "/rotate-secret", None),
    ("POST", "/redeliver", {"from": "0-0"}),
    ("GET", "/redeliveries", None),
    ("GET", "/deliveries", None),
]
CHANGES = [use for use in EVERY_USE if use[0] != "GET"]


async def test_a_token_is_needed(secure: WebClient) -> None:
    assert (await answer_of(secure, "GET", ""))[0] == 401
    assert (await answer_of(secure, "POST", "", json={"url": URL}))[0] == 401


@pytest.mark.parametrize(("method", "end", "body"), EVERY_USE)
async def test_a_foreign_webhook_looks_like_an_unknown_one(
    secure: WebClient, method: str, end: str, body: object
) -> None:
    name, unknown = (await created(secure, OWNER))["id"], new_endpoint_id()
    sent = {"headers": OTHER} | ({"json": body} if body else {})
    status, problem = await answer_of(secure, method, f"/{name}{end}", **sent)
    missing, its_problem = await answer_of(secure, method, f"/{unknown}{end}", **sent)
    assert status == missing == 404
    same = problem["detail"].replace(name, unknown) == its_problem["detail"]
    assert same, "the answer does not show that the webhook exists"


@pytest.mark.parametrize(("method", "end", "body"), CHANGES)
async def test_a_token_that_only_reads_changes_nothing(
    secure: WebClient, method: str, end: str, body: object
) -> None:
    name = (await created(secure, OWNER))["id"]
    sent = {"headers": READER} | ({"json": body} if body else {})
    status, problem = await answer_of(secure, method, f"/{name}{end}", **sent)
    assert (status, "streams:write" in problem["detail"]) == (403, True)
    assert (await answer_of(secure, "GET", f"/{name}", headers=READER))[0] == 200


async def test_a_token_that_only_reads_creates_nothing(secure: WebClient) -> None:
    status, problem = await answer_of(secure, "POST", "", json={"url": URL}, headers=READER)
    assert (status, problem["type"]) == (403, "/problems/forbidden")


@pytest.mark.parametrize("wanted", [{"all": True}, {"users": [BOB.public_key]}, {"streams": ["7"]}])
async def test_who_may_not_subscribe_gets_no_webhook(
    secure: WebClient, wanted: dict[str, Any]
) -> None:
    body = {"url": URL, **wanted}
    assert (await answer_of(secure, "POST", "", json=body, headers=OWNER))[0] == 403
    name = (await created(secure, OWNER))["id"]
    assert (await answer_of(secure, "PATCH", f"/{name}", json=wanted, headers=OWNER))[0] == 403
    assert (await answer_of(secure, "POST", "", json=body, headers=EVERYTHING))[0] == 201


async def test_a_party_may_have_a_webhook_of_a_stream(secure: WebClient) -> None:
    body = order(sender=ALICE.public_key)
    async with secure.post("/v1/streams", json=body, headers=OWNER) as response:
        stream = await response.json()
    await created(secure, OWNER, streams=[stream["id"]])
    wanted = {"url": URL, "streams": [stream["id"]]}
    assert (await answer_of(secure, "POST", "", json=wanted, headers=OTHER))[0] == 403


@pytest.mark.parametrize(("method", "end", "body"), CHANGES)
async def test_a_login_cannot_lead_the_events_of_all_accounts_elsewhere(
    secure: WebClient, method: str, end: str, body: object
) -> None:
    name = (await created(secure, EVERYTHING, all=True))["id"]
    sent: dict[str, Any] = {"json": body} if body else {}
    status, problem = await answer_of(secure, method, f"/{name}{end}", headers=OWNER, **sent)
    assert (status, "events:all" in problem["detail"]) == (403, True)
    status, _ = await answer_of(secure, method, f"/{name}{end}", headers=EVERYTHING, **sent)
    assert status in (200, 202, 204)


async def test_only_who_may_change_a_webhook_stops_its_redelivery(secure: WebClient) -> None:
    name = (await created(secure, EVERYTHING, all=True))["id"]
    body = {"from": "0-0"}
    path = f"/{name}/redeliver"
    _, asked = await answer_of(secure, "POST", path, json=body, headers=EVERYTHING)
    end = f"/{name}/redeliveries/{asked['id']}"
    statuses = [
        (await answer_of(secure, "DELETE", end, headers=who))[0]
        for who in (OTHER, READER, OWNER, EVERYTHING)
    ]
    assert statuses == [404, 403, 403, 204]


async def test_a_narrowed_token_sees_only_webhooks_of_its_topics(secure: WebClient) -> None:
    whole = (await created(secure, EVERYTHING, all=True))["id"]
    own = (await created(secure, OWNER))["id"]
    narrowed = writer(ALICE, topics=[user_topic(ALICE.public_key)])
    _, listed = await answer_of(secure, "GET", "", headers=narrowed)
    assert [each["id"] for each in listed["items"]] == [own]
    assert (await answer_of(secure, "GET", f"/{whole}", headers=narrowed))[0] == 404
    elsewhere = writer(ALICE, topics=["7"])
    assert (await answer_of(secure, "PATCH", f"/{own}", json={}, headers=elsewhere))[0] == 404
    assert (await answer_of(secure, "POST", "", json={"url": URL}, headers=elsewhere))[0] == 403
    admin = bearer(token_of(BOB.public_key, "admin", topics=["7"]))
    _, listed = await answer_of(secure, "GET", "", headers=admin)
    assert listed["items"] == []


async def test_an_admin_reads_and_changes_all_webhooks(secure: WebClient) -> None:
    names = {(await created(secure, who))["id"] for who in (OWNER, OTHER)}
    _, listed = await answer_of(secure, "GET", "", headers=ADMIN)
    assert {each["id"] for each in listed["items"]} == names
    _, listed = await answer_of(secure, "GET", f"?account={BOB.public_key}", headers=ADMIN)
    (of_bob,) = listed["items"]
    path = f"/{of_bob['id']}"
    assert (await answer_of(secure, "PATCH", path, json={"batch": 2}, headers=ADMIN))[0] == 200
    assert (await answer_of(secure, "GET", path, headers=OTHER))[1]["batch"] == 2


@pytest.mark.parametrize("wanted", [{"all": True}, {"users": [BOB.public_key]}, {"streams": ["7"]}])
@pytest.mark.parametrize("by", [ADMIN, EVERYTHING], ids=["admin", "owner"])
async def test_a_change_gives_a_webhook_no_more_than_it_was_made_with(
    secure: WebClient, redis: Redis, keys: Keys, wanted: dict[str, Any], by: dict[str, str]
) -> None:
    """The webhook would not get these events, so a 200 would promise too much."""
    path = f"/{(await created(secure, OWNER))['id']}"
    before = await answer_of(secure, "GET", path, headers=OWNER)
    status, problem = await answer_of(secure, "PATCH", path, json=wanted, headers=by)
    assert (status, "Make a new webhook" in problem["detail"]) == (403, True)
    (error,) = problem["errors"]
    assert error["pointer"] == f"/{next(iter(wanted))}"
    assert await answer_of(secure, "GET", path, headers=OWNER) == before
    (stored,) = (await EndpointStore(redis, keys).load([path[1:]])).values()
    assert stored.sees_all is False


@pytest.mark.parametrize("by", [ADMIN, EVERYTHING, OWNER], ids=["admin", "all", "owner"])
async def test_a_change_within_the_rights_of_a_webhook_is_made(
    secure: WebClient, by: dict[str, str]
) -> None:
    body = order(sender=ALICE.public_key)
    async with secure.post("/v1/streams", json=body, headers=OWNER) as response:
        stream = (await response.json())["id"]
    path = f"/{(await created(secure, OWNER))['id']}"
    changes: list[dict[str, list[str]]] = [{"streams": [stream]}, {"users": []}]
    for wanted in (*changes, {"users": [ALICE.public_key]}):
        status, changed = await answer_of(secure, "PATCH", path, json=wanted, headers=by)
        assert status == 200, changed
    whole = f"/{(await created(secure, EVERYTHING))['id']}"
    wider = {"users": [BOB.public_key]}
    assert (await answer_of(secure, "PATCH", whole, json=wider, headers=EVERYTHING))[0] == 200


async def test_a_list_of_another_account_is_refused(secure: WebClient) -> None:
    await created(secure, OWNER)
    path = f"?account={ALICE.public_key}"
    status, problem = await answer_of(secure, "GET", path, headers=OTHER)
    assert (status, problem["errors"][0]["parameter"]) == (403, "account")
    assert len((await answer_of(secure, "GET", path, headers=OWNER))[1]["items"]) == 1
