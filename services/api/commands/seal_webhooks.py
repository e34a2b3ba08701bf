"""`python -m services.api seal-webhooks` encrypts the secrets of all webhooks with the first key.

See docs/decisions/0131-secrets-of-webhooks-are-sealed-again.md.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace

from services.api.settings import ApiSettings
from shared.redis.client import RedisError, connect
from shared.redis.replication import NotReplicatedError, Replicas
from shared.runtime import logs
from shared.runtime.command_line import invoked_as
from shared.runtime.config import load
from shared.webhooks.endpoint import Endpoint, SealedSecret
from shared.webhooks.secrets import SecretBox, SecretUnreadableError
from shared.webhooks.store import EndpointConflictError, EndpointStore


def main(argv: Sequence[str]) -> int:
    """Returns the exit code: 1 if a secret cannot be read, 2 if it is not done."""
    argparse.ArgumentParser(
        prog=f"{invoked_as('services.api')} seal-webhooks",
        description="Encrypt the signing secrets of all webhooks with the first key of "
        "WEBHOOK_SECRET_KEYS. Afterwards the other keys are not needed. The secrets stay the same.",
    ).parse_args(argv)
    settings = load(ApiSettings)
    logs.configure("api", "error")
    if not settings.secret_keys:
        print("WEBHOOK_SECRET_KEYS is not set: there is no key to encrypt with", file=sys.stderr)
        return 2
    return asyncio.run(_seal(settings))


async def _seal(settings: ApiSettings) -> int:
    redis = connect(settings.redis_url, slot_key=settings.keys.slot_key)
    store = EndpointStore(redis, settings.keys, Replicas(redis, settings.wait_replicas))
    try:
        seconds, _ = await redis.time()
        unreadable = await seal_all(store, SecretBox(settings.secret_keys), seconds)
        await store.confirm()  # an earlier run may have written what this one found
    except NotReplicatedError as error:
        print(f"{error}. Run the command again.", file=sys.stderr)
        return 2
    except (RedisError, OSError) as error:
        print(f"Redis does not answer: {error}", file=sys.stderr)
        return 2
    finally:
        await redis.aclose()
    for endpoint_id in unreadable:
        print(f"{endpoint_id}: WEBHOOK_SECRET_KEYS lacks the key of a secret", file=sys.stderr)
    print("All secrets that can be read are encrypted with the first key.")
    return 1 if unreadable else 0


async def seal_all(store: EndpointStore, box: SecretBox, now: float) -> Sequence[str]:
    """Seal the secrets of all endpoints with the first key. Forget those that have expired.

    Returns the ids of endpoints with a secret that cannot be read. It stays as it is.
    """
    unreadable = set()
    async for endpoint in store.all():
        if not await _seal_one(store, box, endpoint, now):
            unreadable.add(endpoint.id)
    return sorted(unreadable)


async def _seal_one(
    store: EndpointStore, box: SecretBox, endpoint: Endpoint | None, now: float
) -> bool:
    """Try again while somebody else changes the endpoint. False if a secret cannot be read."""
    while endpoint is not None:
        valid = [each for each in endpoint.secrets if each.signs(now)]
        sealed = [_resealed(box, each) for each in valid]
        secrets = tuple(new or old for new, old in zip(sealed, valid, strict=True))
        try:
            if secrets != endpoint.secrets:
                revision = endpoint.revision + 1
                await store.replace(replace(endpoint, secrets=secrets, revision=revision))
            return None not in sealed
        except EndpointConflictError:
            endpoint = (await store.load([endpoint.id])).get(endpoint.id)
    return True  # it was deleted


def _resealed(box: SecretBox, secret: SealedSecret) -> SealedSecret | None:
    try:
        return replace(secret, sealed=box.reseal(secret.sealed))
    except SecretUnreadableError:
        return None
