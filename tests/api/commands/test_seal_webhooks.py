"""`python -m services.api seal-webhooks` encrypts all secrets with the first key."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from services.api.commands.seal_webhooks import seal_all
from shared.domain.topics import ALL, Subscription
from shared.journal.keys import Keys
from shared.journal.plan import StoredResponse
from shared.webhooks.endpoint import Endpoint, SealedSecret
from shared.webhooks.secrets import SecretBox, SecretUnreadableError, new_secret
from shared.webhooks.store import EndpointStore, new_endpoint_id
from tests.api.samples import TOKEN

OLD, NEW, LOST = (Fernet.generate_key().decode() for _ in range(3))


def endpoint(*sealed: str | SealedSecret) -> Endpoint:
    return Endpoint(
        id=new_endpoint_id(),
        account="",
        url="https://shop.example/hook",
        subscription=Subscription((ALL,), frozenset()),
        secrets=tuple(SealedSecret(each) if isinstance(each, str) else each for each in sealed),
        created=1_790_000_000,
        begins_after=None,
    )


async def seal_webhooks(
    redis_url: str, namespace: str, keys: str, **more: str
) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.api", "seal-webhooks",
        env={"PATH": os.environ["PATH"], "CONTRACTS": TOKEN, "REDIS_URL": redis_url,
             "NAMESPACE": namespace, "WEBHOOK_SECRET_KEYS": keys, **more},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(90):
        _, errors = await process.communicate()
    return process.returncode, errors.decode()


async def test_the_first_key_alone_reads_all_secrets_afterwards(
    redis: Redis, redis_url: str, keys: Keys
) -> None:
    store, plain, secret, older = EndpointStore(redis, keys), new_secret(), new_secret(), "whsec_x"
    old = SecretBox([OLD])
    made = [endpoint(SecretBox().seal(plain)), endpoint(old.seal(secret), old.seal(older))]
    for each in made:
        await store.create(each, most=9)
    assert await seal_webhooks(redis_url, keys.namespace, f"{NEW},{OLD}") == (0, "")
    found = await store.load([each.id for each in made])
    box = SecretBox([NEW])
    opened = [[box.open(s.sealed) for s in found[each.id].secrets] for each in made]
    assert opened == [[plain], [secret, older]]
    for each in made:
        assert replace(found[each.id], secrets=each.secrets, revision=1) == each, "nothing else"
        assert found[each.id].revision == 2


async def test_a_secret_that_cannot_be_read_is_named_and_stays(
    redis: Redis, redis_url: str, keys: Keys
) -> None:
    store = EndpointStore(redis, keys)
    lost = endpoint(SecretBox([LOST]).seal(new_secret()))
    read = endpoint(SecretBox([OLD]).seal(new_secret()))
    for each in (lost, read):
        await store.create(each, most=9)
    code, errors = await seal_webhooks(redis_url, keys.namespace, f"{NEW},{OLD}")
    assert (code, errors.count("\n")) == (1, 1)
    assert errors.startswith(f"{lost.id}: ")
    found = await store.load([lost.id, read.id])
    assert found[lost.id] == lost
    with pytest.raises(SecretUnreadableError):
        SecretBox([OLD]).open(found[read.id].secrets[0].sealed)


async def test_a_secret_that_cannot_be_read_keeps_no_other_from_the_first_key(
    redis: Redis, redis_url: str, keys: Keys
) -> None:
    store, old, secret = EndpointStore(redis, keys), SecretBox([OLD]), new_secret()
    lost = SealedSecret(SecretBox([LOST]).seal(new_secret()), 1 << 40)
    made = endpoint(old.seal(secret), lost)
    await store.create(made, most=9)
    code, errors = await seal_webhooks(redis_url, keys.namespace, f"{NEW},{OLD}")
    assert (code, errors.startswith(f"{made.id}: ")) == (1, True)
    newest, kept = (await store.load([made.id]))[made.id].secrets
    assert (SecretBox([NEW]).open(newest.sealed), kept) == (secret, lost)


async def test_secrets_that_have_expired_are_forgotten(
    redis: Redis, redis_url: str, keys: Keys
) -> None:
    store, secret = EndpointStore(redis, keys), new_secret()
    signs = SealedSecret("plain:whsec_x", 1 << 40)
    expired = [SealedSecret(SecretBox([each]).seal(new_secret()), 1) for each in (OLD, LOST)]
    made = endpoint(SecretBox([NEW]).seal(secret), signs, *expired)
    await store.create(made, most=9)
    assert await seal_webhooks(redis_url, keys.namespace, f"{NEW},{OLD}") == (0, "")
    left = (await store.load([made.id]))[made.id].secrets
    opened = [(SecretBox([NEW]).open(each.sealed), each.expires) for each in left]
    assert opened == [(secret, None), ("whsec_x", 1 << 40)]


async def test_a_webhook_with_nothing_to_change_is_not_written(redis: Redis, keys: Keys) -> None:
    store, box = EndpointStore(redis, keys), SecretBox([NEW, OLD])
    made = endpoint(SecretBox([OLD]).seal(new_secret()))
    await store.create(made, most=9)
    for _ in range(2):
        assert await seal_all(store, box, 0) == []
    assert (await store.load([made.id]))[made.id].revision == 2, "only the first run"


async def test_secrets_that_no_replica_has_yet_are_sealed_again(
    redis: Redis, redis_url: str, keys: Keys
) -> None:
    store = EndpointStore(redis, keys)
    await store.create(endpoint("plain:whsec_x"), most=9)
    for _ in range(2):  # the second run has nothing to write
        code, errors = await seal_webhooks(redis_url, keys.namespace, NEW, WAIT_REPLICAS="1")
        assert (code, "0 of 1 replicas have it yet. Run the command again" in errors) == (2, True)


class ChangedMeanwhile(EndpointStore):
    """Somebody else changes each endpoint right before its first replacement."""

    changed = False

    async def replace(self, endpoint: Endpoint, *, response: StoredResponse | None = None) -> None:
        if not self.changed:
            self.changed = True
            other = replace(endpoint, secrets=(SealedSecret("plain:whsec_y"),), description="x")
            await super().replace(other)
        await super().replace(endpoint, response=response)


async def test_a_change_at_the_same_time_is_not_lost(redis: Redis, keys: Keys) -> None:
    store = ChangedMeanwhile(redis, keys)
    made = endpoint("plain:whsec_x")
    await store.create(made, most=9)
    assert await seal_all(store, SecretBox([NEW]), 0) == []
    found = (await store.load([made.id]))[made.id]
    assert SecretBox([NEW]).open(found.secrets[0].sealed) == "whsec_y"
    assert (found.description, found.revision) == ("x", 3)


async def test_without_a_key_or_redis_it_says_so(redis_url: str, keys: Keys) -> None:
    code, errors = await seal_webhooks(redis_url, keys.namespace, "")
    assert (code, errors.startswith("WEBHOOK_SECRET_KEYS is not set")) == (2, True)
    code, errors = await seal_webhooks("redis://127.0.0.1:1/0", keys.namespace, NEW)
    assert (code, errors.startswith("Redis does not answer: ")) == (2, True)
