"""A failover of a real Redis with Sentinels: the last writes are lost, and the chain comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from shared.journal.keys import Keys
from shared.redis.client import RedisError, connect
from tests.support.processes import running
from tests.support.redis_replicas import cut_off, let_in
from tests.support.redis_sentinel import RedisSentinel
from tests.support.redis_server import PATIENT
from tests.support.waiting import until
from tests.webhooks.receiver import Receiver
from tests.webhooks.world import World, environment

pytestmark = [pytest.mark.io, pytest.mark.timeout(150)]


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[RedisSentinel]:
    servers = RedisSentinel(tmp_path)
    await servers.start()
    yield servers
    await servers.close()


@pytest.fixture
async def redis(servers: RedisSentinel, keys: Keys) -> AsyncIterator[Redis]:
    client = connect(servers.url, slot_key=keys.slot_key, timeout=PATIENT)
    yield client
    await client.aclose()


async def test_a_failover_repeats_nothing_of_the_chain_and_tells_what_is_lost(
    servers: RedisSentinel, world: World, receiver: Receiver
) -> None:
    hooks = [f"hook{n}" for n in range(5)]
    for name in hooks:
        await world.add(receiver.url(name))
    async with running("services.webhooks", **environment(servers.url, world.keys)):
        made = await world.commit(20)
        await until(lambda: all(receiver.ids(name) == made for name in hooks))
        former = await servers.primary()
        replicas = await servers.replicas()
        await cut_off(former, replicas)
        lost = await world.commit_api("one")
        gone = await world.commit(5)
        seen = [*made, lost, *gone]
        await until(lambda: all(receiver.ids(name) == seen for name in hooks))
        await servers.kill(former.port)
        await let_in(replicas)
        await servers.fail_over(former.port)

        async def writes() -> bool:
            try:
                await world.rewind(to=20)
            except (RedisError, OSError):
                return False
            return True

        await until(writes)
        assert await world.commit(5) == gone
        new = await world.commit(5)
        await until(
            lambda: all(receiver.ids(name) == seen + new for name in hooks),
            what=lambda: f"{[receiver.ids(name)[20:] for name in hooks]}",
        )
    for name in hooks:
        kinds = receiver.kinds(name)
        assert kinds.count("reset") == 1
        assert kinds.index("reset") >= len(seen), "after the event that was lost"
