"""A Redis that would lose events is named before it does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from shared.journal.keys import Keys
from shared.redis.client import connect
from shared.redis.durability import (
    DurabilityReport,
    UnsafeRedisError,
    check_info,
    commands_in_aof,
    inspect,
    require_durable,
    watch,
)
from tests.fanout.rig import CONTRACT
from tests.support.processes import running
from tests.support.redis_server import redis_server
from tests.support.waiting import until

KEYS = Keys("fitness")
GOOD = {
    "redis_version": "7.2.4", "maxmemory_policy": "noeviction", "aof_enabled": 1,
    "maxmemory": 1 << 30,
}  # fmt: skip


def test_nothing_is_wrong_with_a_good_one_or_with_one_that_tells_nothing():
    assert check_info(GOOD) == check_info({}) == DurabilityReport()


@pytest.mark.parametrize(
    ("differs", "said"),
    [
        ({"redis_version": "6.2.14"}, "Redis is 6.2.14: it takes 7.0 or newer"),
        ({"maxmemory_policy": "allkeys-lru"}, "policy is allkeys-lru, set it to noeviction"),
        ({"maxmemory_policy": "volatile-ttl"}, "throws away events and revocations"),
    ],
)
def test_what_makes_it_unfit(differs: dict, said: str):
    assert said in (check_info(GOOD | differs).wrong or "")


def test_what_is_doubtful():
    (doubt,) = check_info(GOOD | {"aof_enabled": 0}).warnings
    assert "appendonly" in doubt
    (doubt,) = check_info(GOOD | {"maxmemory": 0}).warnings
    assert "maxmemory" in doubt


async def test_it_is_watched_for_as_long_as_the_service_lives(tmp_path: Path):
    said: list[str | None] = []
    with redis_server(tmp_path) as url:
        redis = connect(url)
        await require_durable(redis, KEYS)
        await redis.config_set("maxmemory-policy", "allkeys-lfu")
        with pytest.raises(UnsafeRedisError, match="allkeys-lfu"):
            await require_durable(redis, KEYS)
        task = asyncio.create_task(watch(redis, KEYS, said.append))
        await until(lambda: said)
        task.cancel()
        await redis.aclose()
    assert "allkeys-lfu" in (said[0] or "")


async def test_who_may_not_ask_goes_on_with_a_doubt(tmp_path: Path):
    with redis_server(tmp_path) as url:
        redis = connect(url)
        await redis.acl_setuser(
            "timid", enabled=True, passwords="+x", commands=["+@all", "-info"], keys=["*"]
        )
        timid = connect(url.replace("//", "//timid:x@"))
        await require_durable(timid, KEYS)
        await timid.aclose()
        await redis.aclose()


@pytest.mark.parametrize("service", ["services.api", "services.fanout", "services.indexer"])
async def test_a_service_on_a_redis_that_evicts_is_never_ready(tmp_path: Path, service: str):
    folder = tmp_path / "redis"
    with redis_server(folder) as url:
        redis = connect(url)
        await redis.config_set("maxmemory-policy", "allkeys-lru")
        source = {"HORIZON_URL": "http://127.0.0.1:1"}
        async with running(service, REDIS_URL=url, CONTRACTS=CONTRACT, **source) as process:
            await until(lambda: process.said("redis_examined"), what="the finding in the log")
            (line, *_) = process.said("redis_examined")
            assert line["level"] == "error"
            assert "noeviction" in line["wrong"]
        assert await redis.keys("*:lease") == [], "no indexer became active"
        await redis.aclose()


LINE = "user default off resetpass ~* &* +@all"


@pytest.mark.parametrize(
    "rights",
    [
        "~* &* -@all +ping",
        "~* &* +@all -xadd",
        "~* &* +@all -zremrangebyscore",
        "~other:* &* +@all",
        "off ~* &* -@all",
    ],
)
async def test_a_redis_whose_default_user_may_too_little_is_named_with_the_line_that_helps(
    tmp_path: Path, rights: str
):
    with redis_server(tmp_path) as url:
        everyone = connect(url)
        await everyone.execute_command("ACL", "SETUSER", "all", "on", ">x", "~*", "&*", "+@all")
        redis = connect(url.replace("//", "//all:x@"))
        for name, *_ in commands_in_aof(KEYS):
            assert await redis.execute_command("COMMAND", "INFO", name), name
        assert (await inspect(redis, KEYS)).wrong is None
        await redis.execute_command("ACL", "SETUSER", "default", "reset", *rights.split())
        with pytest.raises(UnsafeRedisError) as raised:
            await require_durable(redis, KEYS)
        assert LINE in str(raised.value)
        await redis.execute_command("ACL", "SETUSER", *LINE.split()[1:])
        await require_durable(redis, KEYS)
        await redis.config_set("appendonly", "no")
        await redis.execute_command("ACL", "SETUSER", "default", "reset")
        await require_durable(redis, KEYS)  # there is no such file to read
        await redis.aclose()
        await everyone.aclose()


async def test_who_may_not_ask_about_the_default_user_goes_on_with_a_doubt(tmp_path: Path):
    with redis_server(tmp_path) as url:
        redis = connect(url)
        await redis.acl_setuser(
            "timid", enabled=True, passwords="+x", commands=["+@all", "-acl"], keys=["*"]
        )
        timid = connect(url.replace("//", "//timid:x@"))
        finding = await inspect(timid, KEYS)
        assert finding.wrong is None
        assert "+acl|dryrun" in finding.warnings[-1]
        await timid.aclose()
        await redis.aclose()
