"""Rotations and redeliveries that are repeated with the same Idempotency-Key."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.domain.position import Position
from shared.journal.keys import Keys
from shared.webhooks.progress import Progress
from shared.webhooks.redeliveries import MOST_REDELIVERIES, RedeliveryStore
from shared.webhooks.store import EndpointStore
from tests.api.auth.samples import ALICE, bearer, token_of, writer
from tests.api.samples import made
from tests.api.webhooks.samples import URL, answer_of, created, delivered
from tests.support.web_client import WebClient

OWNER = writer(ALICE)
KEY = {"Idempotency-Key": "one"}
ONCE = OWNER | KEY
FROM_THE_FIRST = {"from": "0-0"}


async def test_a_repeated_redelivery_begins_once(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    await made(client)
    name = (await created(client, {}, all=True))["id"]
    path, sent = f"/{name}/redeliver", {"json": FROM_THE_FIRST, "headers": KEY}
    answers = await asyncio.gather(*(answer_of(client, "POST", path, **sent) for _ in range(9)))
    assert answers == [answers[0]] * 9
    assert answers[0][0] == 202
    (one,) = await RedeliveryStore(redis, keys).of_endpoint(name)
    assert one.id == answers[0][1]["id"]
    await made(client)
    assert await answer_of(client, "POST", path, **sent) == answers[0], "it ends where it ended"
    other = {"json": FROM_THE_FIRST | {"to": "0-0"}, "headers": KEY}
    status, problem = await answer_of(client, "POST", path, **other)
    assert (status, problem["type"]) == (409, "/problems/idempotency-key-reused")


async def test_what_has_happened_since_does_not_refuse_a_repeated_redelivery(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    await made(client)
    name = (await created(client, {}, all=True))["id"]
    path, sent = f"/{name}/redeliver", {"json": FROM_THE_FIRST, "headers": KEY}
    first = await answer_of(client, "POST", path, **sent)
    for _ in range(MOST_REDELIVERIES):
        status, _ = await answer_of(client, "POST", path, json=FROM_THE_FIRST)
    assert status == 429
    assert await answer_of(client, "POST", path, **sent) == first
    await delivered(redis, keys, name, Progress(1, Position(7, 1), disabled="gone"))
    assert await answer_of(client, "POST", path, **sent) == first
    assert (await answer_of(client, "POST", path, json=FROM_THE_FIRST))[0] == 409


async def test_a_repeated_rotation_makes_one_secret(
    secure: WebClient, redis: Redis, keys: Keys
) -> None:
    name = (await created(secure, OWNER))["id"]
    path, sent = f"/{name}/rotate-secret", {"json": {"seconds": 60}, "headers": ONCE}
    answers = await asyncio.gather(*(answer_of(secure, "POST", path, **sent) for _ in range(5)))
    assert answers == [answers[0]] * 5
    assert (answers[0][0], answers[0][1]["version"]) == (200, 2)
    endpoint = (await EndpointStore(redis, keys).load([name]))[name]
    assert len(endpoint.secrets) == 2
    secret = answers[0][1]["secret"].removeprefix("whsec_").encode()
    async for each in redis.scan_iter(f"*{keys.namespace}*answer*"):
        assert secret not in (await redis.get(each) or b"")
    await answer_of(secure, "POST", path, headers=OWNER)
    assert (await answer_of(secure, "POST", path, **sent))[1]["secret"] == answers[0][1]["secret"]
    await answer_of(secure, "POST", path, json={"seconds": 0}, headers=OWNER)
    assert (await answer_of(secure, "POST", path, **sent))[1]["secret"] is None


async def test_a_rotation_that_used_up_the_secrets_can_be_repeated(client: WebClient) -> None:
    path = f"/{(await created(client, {}, all=True))['id']}/rotate-secret"
    for _ in range(8):
        await answer_of(client, "POST", path)
    last = await answer_of(client, "POST", path, headers=KEY)
    assert last[0] == 200
    assert (await answer_of(client, "POST", path))[0] == 409
    repeated = await answer_of(client, "POST", path, headers=KEY)
    assert (repeated[0], repeated[1]["secret"]) == (200, last[1]["secret"])


async def test_a_repetition_does_not_show_a_secret_that_has_expired(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    sent = {"json": {"url": URL, "all": True}, "headers": KEY}
    status, first = await answer_of(client, "POST", "", **sent)
    assert status == 201
    await answer_of(client, "POST", f"/{first['id']}/rotate-secret", json={"seconds": 60})
    _, again = await answer_of(client, "POST", "", **sent)
    assert again["secret"] == first["secret"]
    store = EndpointStore(redis, keys)
    stored = (await store.load([first["id"]]))[first["id"]]
    newest, old = stored.secrets
    secrets = (newest, replace(old, expires=1))
    await store.replace(replace(stored, secrets=secrets, revision=stored.revision + 1))
    _, late = await answer_of(client, "POST", "", **sent)
    assert (late["id"], late["secret"]) == (first["id"], None)


@pytest.mark.parametrize("end", ["rotate-secret", "redeliver"])
async def test_a_repetition_needs_the_rights_of_a_change(secure: WebClient, end: str) -> None:
    whole = bearer(token_of(ALICE.public_key, "streams:write", "events:all"))
    path = f"/{(await created(secure, whole))['id']}/{end}"
    body: dict[str, Any] = FROM_THE_FIRST if end == "redeliver" else {"seconds": 60}
    first = await answer_of(secure, "POST", path, json=body, headers=whole | KEY)
    assert first[0] in (200, 202)
    assert (await answer_of(secure, "POST", path, json=body, headers=ONCE))[0] == 403
    assert await answer_of(secure, "POST", path, json=body, headers=whole | KEY) == first
