"""A Redis that could lose writes or rejects them: the API reports it with the reason."""

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
    """The reason in /readyz why this part is not ready."""

    async def reason() -> str | None:
        answer = await client.get("/readyz")
        detail = (await answer.json())["parts"][part]
        return detail if detail not in ("ok", "starting") else None

    return await until(reason, what=f"{part} in /readyz")


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
    detail = await unready(client, "store")
    answer = await client.post("/v1/streams", json=order())
    assert answer.status == 503
    assert detail in (await answer.json())["detail"]
    assert await redis_of.exists(keys.journal) == 0
    assert (await client.get("/v1/streams")).status == 200


async def test_a_redis_replica_is_reported(
    start: StartApi, own_redis: str, redis_of: Redis
) -> None:
    client = await start(redis_url=own_redis)
    await redis_of.execute_command("REPLICAOF", "127.0.0.1", str(free_port()))
    assert (await client.post("/v1/streams", json=order())).status == 503  # read-only
    assert "not the primary" in await unready(client, "redis")
