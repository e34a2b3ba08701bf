"""With compose's own configuration, Redis keeps all data over a restart, on each kind of server."""

from __future__ import annotations

import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from shared.redis.durability import inspect
from tests.deploy.redis_work import (
    COMMON,
    KEYS,
    USERS,
    Guarded,
    at_work,
    guarded_redis,
    network,
)
from tests.support.processes import ServiceProcess, running
from tests.support.redis_content import Content, content, lasting
from tests.support.redis_servers import find_servers, one_of_each_kind
from tests.support.tier import one_in_test
from tests.support.waiting import until

SERVERS = one_of_each_kind(find_servers())
FORMER = "user default on nopass resetkeys resetchannels -@all +ping"
"""The line that once lost all data: Redis loads its append-only file with this user's rights."""

pytestmark = pytest.mark.timeout(180)
each_server_at_length = pytest.mark.parametrize("name", one_in_test([*SERVERS][::-1]))
"""The last is a Valkey, as in compose.yaml, if one is installed."""


def test_these_servers_are_tried() -> None:
    names = {name.partition(" ")[0] for name in SERVERS}
    assert names, "no server at all"
    if os.environ.get("CI") == "true":
        assert names == {"redis", "valkey"}, f".ci/run installs both; there are {[*SERVERS]}"


async def unchanged(redis: Guarded, before: Content) -> None:
    """Fails unless Redis holds the same data. Keys may have expired meanwhile, as they should."""
    after = await content(redis.all)
    kept = lasting(before)
    lost = {key: value for key, value in kept.items() if after.get(key) != value}
    assert not lost, f"{len(lost)} of {len(kept)} keys differ: {sorted(lost)[:5]}"
    assert set(after) <= set(before), "keys that nobody wrote"


async def on_disk(redis: Guarded) -> None:
    """Wait until written and synced, which `appendfsync everysec` does once a second."""

    async def synced() -> bool:
        info = await redis.all.info("persistence")
        return not info["aof_pending_bio_fsync"] and not info["aof_buffer_length"]

    await until(synced, what="the append-only file on disk")


async def rewritten(redis: Guarded) -> None:
    await redis.all.bgrewriteaof()

    async def done() -> bool:
        info = await redis.all.info("persistence")
        return not (info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"])

    await until(done, what="the rewritten file")


async def is_rated(redis: Guarded, port: int) -> bool:
    """Whether Redis counts requests of a client. The key expires soon after the last request."""
    url = f"http://127.0.0.1:{port}/v1/streams"
    async with aiohttp.ClientSession() as session, session.get(url):
        found = [key async for key in redis.all.scan_iter(KEYS.rate("*", "*"))]
    return bool(found)


@pytest.mark.io
@each_server_at_length
async def test_a_restart_keeps_everything(tmp_path: Path, name: str) -> None:
    async with guarded_redis(tmp_path, SERVERS[name]) as redis, network() as port:
        async with at_work(redis, port, "one") as parts:
            await until(lambda: is_rated(redis, parts["api"].port), what="the key of a rate limit")
        before = await content(redis.all)
        assert await redis.all.xlen(KEYS.journal) > 5
        kinds = {key.decode().split("}:")[1].split(":")[0] for key in before}
        assert kinds >= {"journal", "progress", "fence", "stream", "index", "topic", "answer"}
        assert kinds >= {"revoke", "revoke-all", "revocations", "challenge"}
        await redis.composed.stop("redis")
        await redis.composed.start("redis")
        await unchanged(redis, before)

        await rewritten(redis)
        async with at_work(redis, port, "two"):  # in addition to what was read and rewritten
            pass
        await on_disk(redis)
        before = await content(redis.all)
        await redis.composed.stop("redis", signal.SIGKILL)
        await redis.composed.start("redis")
        await unchanged(redis, before)
        assert (await inspect(redis.all, KEYS)).error is None


@pytest.mark.io
@each_server_at_length
async def test_no_service_is_ready_where_a_restart_would_lose_everything(
    tmp_path: Path, name: str
) -> None:
    async with guarded_redis(tmp_path, SERVERS[name], default=FORMER) as redis:
        async with AsyncExitStack() as stack:
            for user in (each for each in USERS if each != "archiver"):  # it stores no events there
                environment = COMMON | {"REDIS_URL": redis.url(user)}
                environment |= {"HORIZON_URL": "http://127.0.0.1:1"}
                part = await stack.enter_async_context(running(f"services.{user}", **environment))
                await until(lambda part=part: unsafe(part), seconds=60)
                (line, *_) = unsafe(part)
                assert line["level"] == "error"
                assert "user default off resetpass ~* &* +@all" in line["reason"]
                assert line["reason"] in await unready(part.port)
        assert await redis.all.exists(KEYS.lease) == 0, "no indexer became active"


def unsafe(process: ServiceProcess) -> list[dict[str, Any]]:
    """The log lines that say why this Redis can lose data."""
    return [line for line in process.log_lines("part_unwell") if line["part"] == "store"]


async def unready(port: int) -> str:
    url = f"http://127.0.0.1:{port}/readyz"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 503
        return str((await response.json())["parts"]["store"])


@pytest.mark.io
async def test_one_volume_is_for_one_server_and_no_dump_is_passed_over(tmp_path: Path) -> None:
    async with guarded_redis(tmp_path) as redis:
        code, _, said = await redis.composed.run("redis", ["sh", "/etc/headrace/start.sh"])
        assert code == 1
        assert "another Redis uses" in said
        await redis.composed.stop("redis")
        (redis.data / "appendonlydir").rename(redis.data / "moved")
        (redis.data / "dump.rdb").touch()
        code, _, said = await redis.composed.run("redis", ["sh", "/etc/headrace/start.sh"])
        assert code == 1
        assert "Redis would start empty" in said
        (redis.data / "moved").rename(redis.data / "appendonlydir")
        await redis.composed.start("redis")
