"""Checks that Redis keeps what is written to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.journal.keys import Keys
from shared.redis.client import connect
from shared.redis.durability import (
    DurabilityCheck,
    DurabilityReport,
    UnsafeRedisError,
    check_info,
    commands_in_aof,
    inspect,
    require_durable,
)
from tests.fanout.replicas import CONTRACT
from tests.support.processes import ServiceProcess, running
from tests.support.redis_server import PATIENT, redis_server
from tests.support.waiting import until

KEYS = Keys("durability")
GOOD = {
    "redis_version": "7.2.4", "maxmemory_policy": "noeviction", "aof_enabled": 1,
    "maxmemory": 1 << 30,
}  # fmt: skip


def test_a_safe_configuration_or_an_empty_info_gives_no_error_and_no_warning() -> None:
    assert check_info(GOOD) == check_info({}) == DurabilityReport()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"redis_version": "6.2.14"}, "Redis 6.2.14 is too old: use Redis 7.0 or newer"),
        ({"maxmemory_policy": "allkeys-lru"}, "policy is allkeys-lru: set it to noeviction"),
        ({"maxmemory_policy": "volatile-ttl"}, "deletes events and revocations"),
    ],
)
def test_an_unsafe_configuration_is_an_error(changes: dict[str, Any], message: str) -> None:
    assert message in (check_info(GOOD | changes).error or "")


def test_no_aof_and_no_memory_limit_are_warnings() -> None:
    (warning,) = check_info(GOOD | {"aof_enabled": 0}).warnings
    assert "appendonly" in warning
    (warning,) = check_info(GOOD | {"maxmemory": 0}).warnings
    assert "maxmemory" in warning


@pytest.mark.io
async def test_a_configuration_that_becomes_unsafe_is_found(tmp_path: Path) -> None:
    with redis_server(tmp_path) as url:
        redis = connect(url, timeout=PATIENT)
        await require_durable(redis, KEYS)
        await redis.config_set("maxmemory-policy", "allkeys-lfu")
        with pytest.raises(UnsafeRedisError, match="allkeys-lfu"):
            await require_durable(redis, KEYS)
        assert "allkeys-lfu" in (await DurabilityCheck(redis, KEYS)() or "")
        await redis.aclose()


@pytest.mark.io
async def test_a_user_without_the_right_to_run_info_is_let_through(tmp_path: Path) -> None:
    with redis_server(tmp_path) as url:
        redis = connect(url, timeout=PATIENT)
        await redis.acl_setuser(
            "timid", enabled=True, passwords="+x", commands=["+@all", "-info"], keys=["*"]
        )
        timid = connect(url.replace("//", "//timid:x@"), timeout=PATIENT)
        await require_durable(timid, KEYS)
        await timid.aclose()
        await redis.aclose()


@pytest.mark.io
@pytest.mark.parametrize("service", ["services.api", "services.fanout", "services.indexer"])
async def test_a_service_whose_redis_evicts_data_is_never_ready(
    tmp_path: Path, service: str
) -> None:
    folder = tmp_path / "redis"
    with redis_server(folder) as url:
        redis = connect(url, timeout=PATIENT)
        await redis.config_set("maxmemory-policy", "allkeys-lru")
        source = {"HORIZON_URL": "http://127.0.0.1:1"}
        async with running(service, REDIS_URL=url, CONTRACTS=CONTRACT, **source) as process:
            await until(lambda: unready(process, "store"), what="the reason in the log")
            (line, *_) = unready(process, "store")
            assert line["level"] == "error"
            assert "noeviction" in line["reason"]
        assert await redis.keys("*:lease") == [], "no indexer became active"
        await redis.aclose()


def unready(process: ServiceProcess, part: str) -> list[dict[str, Any]]:
    """The log lines that say why a part is not ready."""
    return [line for line in process.log_lines("part_unwell") if line["part"] == part]


LINE = "user default off resetpass ~* &* +@all"


@pytest.mark.io
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
async def test_a_default_user_with_too_few_permissions_is_an_error_that_names_the_remedy(
    tmp_path: Path, rights: str
) -> None:
    with redis_server(tmp_path) as url:
        everyone = connect(url, timeout=PATIENT)
        await everyone.execute_command("ACL", "SETUSER", "all", "on", ">x", "~*", "&*", "+@all")
        redis = connect(url.replace("//", "//all:x@"), timeout=PATIENT)
        for name, *_ in commands_in_aof(KEYS):
            assert await redis.execute_command("COMMAND", "INFO", name), name
        assert (await inspect(redis, KEYS)).error is None
        await redis.execute_command("ACL", "SETUSER", "default", "reset", *rights.split())
        with pytest.raises(UnsafeRedisError) as raised:
            await require_durable(redis, KEYS)
        assert LINE in str(raised.value)
        await redis.execute_command("ACL", "SETUSER", *LINE.split()[1:])
        await require_durable(redis, KEYS)
        await redis.config_set("appendonly", "no")
        await redis.execute_command("ACL", "SETUSER", "default", "reset")
        await require_durable(redis, KEYS)  # without an append-only file nothing is replayed
        await redis.aclose()
        await everyone.aclose()


@pytest.mark.io
async def test_a_user_without_the_right_to_check_the_default_user_gets_a_warning(
    tmp_path: Path,
) -> None:
    with redis_server(tmp_path) as url:
        redis = connect(url, timeout=PATIENT)
        await redis.acl_setuser(
            "timid", enabled=True, passwords="+x", commands=["+@all", "-acl"], keys=["*"]
        )
        timid = connect(url.replace("//", "//timid:x@"), timeout=PATIENT)
        report = await inspect(timid, KEYS)
        assert report.error is None
        assert "+acl|dryrun" in report.warnings[-1]
        await timid.aclose()
        await redis.aclose()
