"""Webhooks: begun again, with a new secret, tested and redelivered."""

from __future__ import annotations

import time
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.domain.position import Position, parse_position
from shared.journal.keys import Keys
from shared.webhooks.changes import ChangeKind, ChangeLog
from shared.webhooks.endpoint import Endpoint
from shared.webhooks.progress import Progress
from shared.webhooks.secrets import SecretBox
from shared.webhooks.store import EndpointStore
from tests.api.auth.samples import ALICE, writer
from tests.api.samples import made
from tests.api.webhooks.samples import answer_of, created, delivered
from tests.support.web_client import WebClient

OWNER = writer(ALICE)


async def stored(redis: Redis, keys: Keys, endpoint_id: str) -> Endpoint:
    return (await EndpointStore(redis, keys).load([endpoint_id]))[endpoint_id]


async def patched(client: WebClient, endpoint_id: str, **body: Any) -> dict[str, Any]:
    status, document = await answer_of(client, "PATCH", f"/{endpoint_id}", json=body)
    assert status == 200, document
    changed: dict[str, Any] = document
    return changed


async def test_a_disabled_webhook_goes_on_where_it_stopped(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    name = (await created(client, {}, all=True))["id"]
    gone = Progress(1, Position(7, 1), failures=4, disabled="gone", disabled_at=60.0)
    await delivered(redis, keys, name, gone)
    _, read = await answer_of(client, "GET", f"/{name}")
    assert (read["state"], read["disabledReason"], read["disabledAt"]) == ("disabled", "gone", 60)
    changed = await patched(client, name, enabled=True)
    assert (changed["state"], changed["disabledReason"]) == ("active", None)
    assert changed["position"] == "7-1"
    endpoint = await stored(redis, keys, name)
    assert (endpoint.generation, endpoint.begins_after) == (2, None)


async def test_a_failing_webhook_tries_again_at_once(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    name = (await created(client, {}, all=True))["id"]
    await delivered(redis, keys, name, Progress(1, Position(7, 1), failures=4, retry_at=9e9))
    assert (await patched(client, name, enabled=True))["state"] == "active"
    assert (await stored(redis, keys, name)).generation == 2


async def test_a_webhook_can_begin_again_from_an_event(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    first = (await made(client))["position"]
    name = (await created(client, {}, all=True))["id"]
    await delivered(redis, keys, name, Progress(1, Position(7, 1)))
    at = parse_position(first)
    await patched(client, name, **{"enabled": True, "from": first})
    endpoint = await stored(redis, keys, name)
    assert (endpoint.generation, endpoint.begins_after) == (2, Position(at.toid, at.n - 1))
    for body in ({"from": first}, {"enabled": False, "from": first}):
        status, problem = await answer_of(client, "PATCH", f"/{name}", json=body)
        assert (status, problem["errors"][0]["pointer"]) == (422, "/from")


async def test_a_webhook_that_has_not_begun_keeps_its_beginning(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    """A new generation that begins where the old one stopped would not know where that is."""
    document = await created(client, {}, all=True, enabled=False)
    changed = await patched(client, document["id"], enabled=True)
    assert (changed["state"], changed["position"]) == ("active", document["position"])
    endpoint = await stored(redis, keys, document["id"])
    assert (endpoint.generation, str(endpoint.begins_after)) == (1, document["position"])


async def test_a_pause_is_no_new_beginning(client: WebClient, redis: Redis, keys: Keys) -> None:
    name = (await created(client, {}, all=True))["id"]
    await delivered(redis, keys, name, Progress(1, Position(7, 1)))
    assert (await patched(client, name, enabled=False))["state"] == "paused"
    assert (await stored(redis, keys, name)).generation == 1


async def test_a_new_secret_signs_beside_the_old_one(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    first = await created(client, {}, all=True)
    path, box = f"/{first['id']}", SecretBox()
    status, second = await answer_of(client, "POST", f"{path}/rotate-secret")
    assert (status, second["version"]) == (200, 2)
    assert second["secret"] != first["secret"]
    new, old = (await stored(redis, keys, first["id"])).secrets
    assert [box.open(each.sealed) for each in (new, old)] == [second["secret"], first["secret"]]
    assert (new.expires, old.expires) == (None, second["oldSecretExpiresAt"])
    assert abs(second["oldSecretExpiresAt"] - time.time() - 86_400) < 60
    _, third = await answer_of(client, "POST", f"{path}/rotate-secret", json={"seconds": 0})
    (only,) = (await stored(redis, keys, first["id"])).secrets
    assert (box.open(only.sealed), third["oldSecretExpiresAt"]) == (third["secret"], None)


async def test_another_rotation_lets_no_old_secret_sign_longer(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    name = (await created(client, {}, all=True))["id"]
    for seconds in (60, 600):
        await answer_of(client, "POST", f"/{name}/rotate-secret", json={"seconds": seconds})
    _, second, first = (await stored(redis, keys, name)).secrets
    assert first.expires
    assert second.expires
    assert first.expires - time.time() <= 60 < second.expires - time.time()


async def test_a_webhook_has_a_limited_number_of_secrets(client: WebClient) -> None:
    path = f"/{(await created(client, {}, all=True))['id']}/rotate-secret"
    statuses = [(await answer_of(client, "POST", path))[0] for _ in range(11)]
    assert (statuses[:9], statuses[-1]) == ([200] * 9, 409)
    assert (await answer_of(client, "POST", path, json={"seconds": 0}))[0] == 200


@pytest.mark.parametrize("seconds", [-1, 7 * 86_400 + 1, "1"])
async def test_an_old_secret_signs_for_a_week_at_most(client: WebClient, seconds: object) -> None:
    path = f"/{(await created(client, {}, all=True))['id']}/rotate-secret"
    status, problem = await answer_of(client, "POST", path, json={"seconds": seconds})
    assert (status, problem["errors"][0]["pointer"]) == (422, "/seconds")


async def test_a_test_is_told_to_the_dispatchers(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    name, log = (await created(client, {}, all=True))["id"], ChangeLog(redis, keys)
    before = await log.end()
    status, answer = await answer_of(client, "POST", f"/{name}/test")
    assert status == 202
    found = await log.after(before)
    assert found
    ((endpoint_id, kind, job),) = found[1]
    assert (endpoint_id, kind, job) == (name, ChangeKind.TEST, answer["messageId"])
