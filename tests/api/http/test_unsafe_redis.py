"""A Redis that could lose writes or rejects them: the API reports it with the reason."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from services.api.app import REDIS_MEMORY
from services.api.streams.memory import RedisMemory
from shared.journal.keys import Keys
from shared.redis.client import connect
from tests.api.samples import is_ready, made, on_chain, order
from tests.support.redis_server import PATIENT, redis_server
from tests.support.waiting import free_port, until
from tests.support.web_client import StartApi, WebClient


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[str]:
    with redis_server(tmp_path) as url:
        yield url


async def unready(client: WebClient, part: str, text: str = "") -> str:
    """The reason in /readyz why this part is not ready, as soon as it has this text."""

    async def reason() -> str | None:
        answer = await client.get("/readyz")
        detail = (await answer.json())["parts"][part]
        return detail if detail not in ("ok", "starting") and text in detail else None

    return await until(reason, what=f"{part} in /readyz")


@pytest.fixture
async def redis_of(own_redis: str) -> AsyncIterator[Redis]:
    redis = connect(own_redis, timeout=PATIENT)
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
    assert await unready(client, "redis", "not the primary")


async def test_from_80_percent_of_maxmemory_on_the_api_changes_no_stream(
    start: StartApi, own_redis: str, redis_of: Redis, keys: Keys
) -> None:
    client = await start(redis_url=own_redis)
    await until(lambda: is_ready(client), what="a ready API")
    stream, memory = await made(client), client.app[REDIS_MEMORY]
    await redis_of.setrange("ballast", 30_000_000, "x")  # so that a tenth of it is room enough

    async def filled(fraction: float) -> None:
        used = (await redis_of.info("memory"))["used_memory"]
        await redis_of.config_set("maxmemory", int(used / fraction))

    async def post() -> int:
        await memory.check()  # which it does once a second by itself
        return (await client.post("/v1/streams", json=order())).status

    await filled(0.9)
    await until(memory.full_reason, what="the API notices")
    url = f"/v1/streams/{stream['id']}"
    for answer in (
        await client.post(f"{url}/pause"),
        await client.patch(url, json={"metadata": {}}),
        await client.delete(url, headers={"Idempotency-Key": "x"}),
    ):
        problem = await answer.json(content_type="application/problem+json")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
        assert "from 80% on the API changes no streams" in problem["detail"]
    assert (await client.get(url)).status == 200
    ticket = await client.post("/v1/events/ticket")
    assert ticket.status == 201, await ticket.text()
    assert (await client.get("/readyz")).status == 200, "the API still does its other work"
    await on_chain(redis_of, keys, 7)
    await filled(0.6)
    assert await post() == 201
    await filled(0.9)
    assert await post() == 503
    await redis_of.config_set("maxmemory", 0)  # no limit
    assert await post() == 201


async def test_readyz_names_a_full_memory_and_stays_200(
    start: StartApi, own_redis: str, redis_of: Redis
) -> None:
    await redis_of.setrange("ballast", 30_000_000, "x")  # so that a tenth of it is room enough
    used = (await redis_of.info("memory"))["used_memory"]
    await redis_of.config_set("maxmemory", int(used / 0.9))
    client = await start(redis_url=own_redis)

    async def note() -> str | None:
        answer = await client.get("/readyz")
        assert answer.status in (200, 503)
        return (await answer.json()).get("notes", {}).get("memory")

    assert "on the API changes no streams" in str(await until(note, what="the note"))
    await until(lambda: is_ready(client), what="a ready API")


@pytest.mark.io
async def test_without_the_right_to_call_info_redis_never_counts_as_full(
    own_redis: str, redis_of: Redis
) -> None:
    await redis_of.config_set("maxmemory", 1)
    await redis_of.execute_command("ACL SETUSER blind on nopass ~* &* +@all -info")
    place = own_redis.removeprefix("redis://")
    async with connect(f"redis://blind:any@{place}", timeout=PATIENT) as blind:
        memory = RedisMemory(blind)
        await memory.check()
        assert memory.full_reason() is None
    seeing = RedisMemory(redis_of)
    await seeing.check()
    assert seeing.full_reason()
