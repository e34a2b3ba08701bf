"""10,000 endpoints at rest need little memory, and they begin within seconds."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from shared.domain.position import parse_position
from shared.domain.topics import Subscription, user_topic
from shared.webhooks.endpoint import Endpoint, SealedSecret, encode_endpoint
from shared.webhooks.secrets import SecretBox, new_secret
from shared.webhooks.store import new_endpoint_id
from tests.support.processes import ServiceProcess, running
from tests.support.waiting import until
from tests.webhooks.receiver import Receiver
from tests.webhooks.world import World, environment

pytestmark = [pytest.mark.io, pytest.mark.timeout(120)]

COUNT = 10_000
MOST_MEGABYTES = 100


def megabytes(process: ServiceProcess) -> float:
    """The most memory that a process has used until now (Linux)."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+)", status)
    assert found is not None
    return int(found[1]) / 1024


async def store_many(redis: Redis, world: World, like: Endpoint, box: SecretBox) -> None:
    """Store endpoints of as many accounts, each with texts of its own."""
    pipe = redis.pipeline(transaction=False)
    for number in range(COUNT):
        account = f"G{number:055d}"
        one = replace(
            like,
            id=new_endpoint_id(),
            account=account,
            url=f"http://127.0.0.1:9/hooks/{number}/of-a-shop",
            description=f"The back end of shop {number}",
            subscription=Subscription((user_topic(account),), frozenset({"stream.created"})),
            secrets=(SealedSecret(box.seal(new_secret())),),
        )
        pipe.hset(world.keys.webhooks, one.id, encode_endpoint(one))
    await pipe.execute()


async def test_ten_thousand_endpoints_at_rest(
    redis: Redis, redis_url: str, world: World, receiver: Receiver
) -> None:
    key = Fernet.generate_key().decode()
    made = await world.commit(50)
    endpoint = await world.add(receiver.url(), begins_after=parse_position(made[-1]))
    await store_many(redis, world, endpoint, SecretBox([key]))
    given = environment(redis_url, world.keys, webhook_secret_keys=key)
    async with running("services.webhooks", **given) as process:
        (loaded,) = await until(lambda: process.log_lines("webhooks_loaded"))
        assert loaded["endpoints"] == COUNT + 1
        new = await world.commit(20)
        await until(lambda: receiver.ids() == new)
        assert megabytes(process) <= MOST_MEGABYTES
