"""A Redis that may lose what is written to it, or does not take it: the API says so and why."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from shared.journal.keys import Keys
from shared.redis.client import connect
from tests.api.samples import order
from tests.support.redis_server import redis_server
from tests.support.waiting import free_port, until
from tests.support.web_client import StartApi, WebClient


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[str]:
    with redis_server(tmp_path) as url:
        yield url


async def unready(client: WebClient, part: str) -> str:
    """What /readyz says of this part, once it is neither well nor starting."""

    async def said():
        answer = await client.get("/readyz")
        trouble = (await answer.json())["parts"][part]
        return trouble if trouble not in ("ok", "starting") else None

    found: str = await until(said, what=f"{part} in /readyz")
    return found


@pytest.fixture
async def redis_of(own_redis: str) -> AsyncIterator[Redis]:
    redis = connect(own_redis)
    yield redis
    await redis.aclose()


async def test_the_api_changes_nothing_on_a_redis_that_evicts(
    start: StartApi, own_redis: str, redis_of: Redis, keys: Keys
) -> None:
    await redis_of.config_set("maxmemory-policy", "allkeys-lru")
    client = await start(redis_url=own_redis)
    trouble = await unready(client, "store")
    answer = await client.post("/v1/streams", json=order())
    assert answer.status == 503
    assert trouble in (await answer.json())["detail"]
    assert await redis_of.exists(keys.journal) == 0
    assert (await client.get("/v1/streams")).status == 200


async def test_a_redis_replica_is_reported(
    start: StartApi, own_redis: str, redis_of: Redis
) -> None:
    client = await start(redis_url=own_redis)
    await redis_of.execute_command("REPLICAOF", "127.0.0.1", str(free_port()))
    assert (await client.post("/v1/streams", json=order())).status == 503  # it may not write
    assert "no master" in await unready(client, "redis")
