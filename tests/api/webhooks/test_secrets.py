"""The secret of a webhook: shown once, sealed in Redis, and shown again to a repeated request."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from redis.asyncio import Redis

from shared.journal.keys import Keys
from shared.webhooks.endpoint import SealedSecret
from shared.webhooks.store import EndpointStore
from tests.api.auth.samples import ALICE, BOB, REQUIRED, bearer, token_of, writer
from tests.api.samples import time_is_known
from tests.api.webhooks.samples import URL, answer_of, created
from tests.support.data import begun_long_ago
from tests.support.redis_node import Node
from tests.support.waiting import until
from tests.support.web_client import StartApi, WebClient

OWNER, OTHER = writer(ALICE), writer(BOB)
ONCE = OWNER | {"Idempotency-Key": "one"}
BODY = {"url": URL}


async def everything(redis: Redis, keys: Keys) -> bytes:
    """All data of the namespace in Redis, as bytes."""
    found = []
    async for name in redis.scan_iter(f"*{keys.namespace}*", count=1000):
        found += [name, await redis.dump(name) or b""]
        if await redis.type(name) == b"hash":
            fields: Any = await redis.hgetall(name)
            found += [b"%b=%b" % row for row in fields.items()]
    return b"\n".join(found)


async def test_with_a_key_no_secret_is_in_redis(start: StartApi, redis: Redis, keys: Keys) -> None:
    client = await start(**REQUIRED, webhook_secret_keys=Fernet.generate_key().decode())
    document = await created(client, ONCE)
    _, rotated = await answer_of(client, "POST", f"/{document['id']}/rotate-secret", headers=OWNER)
    held = await everything(redis, keys)
    assert document["id"].encode() in held
    for secret in (document["secret"], rotated["secret"]):
        assert secret.removeprefix("whsec_").encode() not in held


async def test_a_repeated_request_gets_the_same_answer(
    secure: WebClient, redis: Redis, keys: Keys
) -> None:
    first = await created(secure, ONCE)
    assert await created(secure, ONCE) == first
    _, listed = await answer_of(secure, "GET", "", headers=OWNER)
    assert len(listed["items"]) == 1
    another = OTHER | {"Idempotency-Key": "one"}
    assert (await created(secure, another))["id"] != first["id"]
    changed = BODY | {"batch": 2}
    status, problem = await answer_of(secure, "POST", "", json=changed, headers=ONCE)
    assert (status, problem["type"]) == (409, "/problems/idempotency-key-reused")
    references = [name async for name in redis.scan_iter(f"*{keys.namespace}*answer*", count=1000)]
    for name in references:
        assert first["secret"].removeprefix("whsec_").encode() not in (await redis.get(name) or b"")
        assert 0 < await redis.ttl(name) <= 86_400
    assert len(references) == 2


async def test_a_repetition_shows_only_the_first_secret(secure: WebClient) -> None:
    first = await created(secure, ONCE)
    path = f"/{first['id']}/rotate-secret"
    await answer_of(secure, "POST", path, headers=OWNER)
    repeated = await created(secure, ONCE)
    assert (repeated["secret"], repeated["version"]) == (first["secret"], 2)
    await answer_of(secure, "POST", path, json={"seconds": 0}, headers=OWNER)
    assert (await created(secure, ONCE))["secret"] is None


async def test_a_repetition_shows_no_secret_to_who_may_not_change_the_webhook(
    secure: WebClient,
) -> None:
    """Both logins have the same account, so their keys are the same."""
    whole = bearer(token_of(ALICE.public_key, "streams:write", "events:all"))
    first = await created(secure, whole | {"Idempotency-Key": "one"})
    status, problem = await answer_of(secure, "POST", "", json=BODY, headers=ONCE)
    assert (status, "events:all" in problem["detail"]) == (403, True)
    assert first["secret"] not in str(problem)
    assert await created(secure, whole | {"Idempotency-Key": "one"}) == first


async def test_a_secret_that_has_expired_is_not_shown_as_one_that_signs(
    secure: WebClient, redis: Redis, keys: Keys
) -> None:
    path, store = f"/{(await created(secure, OWNER))['id']}", EndpointStore(redis, keys)
    for expires, shown in [(1, None), (1 << 40, 1 << 40)]:
        (made,) = (await store.load([path[1:]])).values()
        secrets = (made.secrets[0], SealedSecret("plain:whsec_x", expires))
        await store.replace(replace(made, secrets=secrets, revision=made.revision + 1))
        _, read = await answer_of(secure, "GET", path, headers=OWNER)
        assert read["oldSecretExpiresAt"] == shown
        _, listed = await answer_of(secure, "GET", "", headers=OWNER)
        assert [each["oldSecretExpiresAt"] for each in listed["items"]] == [shown]


async def test_a_deleted_webhook_is_not_made_again_by_a_repetition(secure: WebClient) -> None:
    first = await created(secure, ONCE)
    await answer_of(secure, "DELETE", f"/{first['id']}", headers=OWNER)
    status, problem = await answer_of(secure, "POST", "", json=BODY, headers=ONCE)
    assert (status, problem["type"]) == (404, "/problems/not-found")
    assert problem["detail"] == (
        f"The webhook {first['id']} of this Idempotency-Key was deleted. Use a new key."
    )


async def test_a_secret_whose_key_was_removed_cannot_be_shown(start: StartApi) -> None:
    client = await start(**REQUIRED, webhook_secret_keys=Fernet.generate_key().decode())
    await created(client, ONCE)
    other = await start(**REQUIRED, webhook_secret_keys=Fernet.generate_key().decode())
    status, problem = await answer_of(other, "POST", "", json=BODY, headers=ONCE)
    assert (status, problem["type"]) == (503, "/problems/unavailable")


async def test_a_change_waits_for_replicas(start: StartApi, keys: Keys, tmp_path: Path) -> None:
    alone = Node(tmp_path / "master", {})
    await alone.start()
    try:
        url = f"redis://127.0.0.1:{alone.port}/0"
        async with alone.client() as redis:
            await begun_long_ago(redis, keys)
        client = await time_is_known(await start(redis_url=url, wait_replicas=1, **REQUIRED))

        async def waited() -> bool:
            """A busy machine can take longer than Redis waits for its replicas."""
            status, problem = await answer_of(client, "POST", "", json=BODY, headers=ONCE)
            assert status == 503
            return "0 of 1 replicas have it" in problem["detail"]

        await until(waited, what="the missing replica in the answer")
        _, listed = await answer_of(client, "GET", "", headers=OWNER)
        path = f"/{listed['items'][0]['id']}"
        patch, delete = ("PATCH", ""), ("DELETE", "")
        twice = [patch, patch, ("POST", "/rotate-secret"), delete, delete]  # nor are repetitions
        for method, end in twice:
            sent: dict[str, Any] = {"json": {"batch": 2}} if method == "PATCH" else {}
            status, _ = await answer_of(client, method, path + end, headers=OWNER, **sent)
            assert status == 503, method
    finally:
        await alone.stop()
