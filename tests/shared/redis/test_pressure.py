"""What Redis is short of: the sentences, and that every service shows them in /readyz."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from shared.journal.keys import Keys
from shared.redis.client import RedisError, connect
from shared.redis.durability import DurabilityCheck
from shared.redis.pressure import disk_reason, memory_reason
from tests.support.redis_node import Node
from tests.support.redis_server import PATIENT
from tests.support.waiting import until

KEYS = Keys("pressure")


@pytest.mark.parametrize(
    ("used", "limit", "reason"),
    [
        (79, 100, None),
        (80, 100, "from 80% on the API changes no streams"),
        (120, 100, "120% full, so Redis refuses every write"),
        (10**12, 0, None),
        (0, 0, None),
    ],
)
def test_what_counts_as_full(used: int, limit: int, reason: str | None) -> None:
    found = memory_reason({"used_memory": used, "maxmemory": limit})
    assert found is None if reason is None else reason in (found or "")


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        ({}, None),
        ({"aof_last_write_status": "ok", "rdb_last_bgsave_status": "ok"}, None),
        ({"aof_last_write_status": "err", "rdb_last_bgsave_status": "err"}, "refuses every write"),
        ({"aof_last_bgrewrite_status": "err"}, "the file grows"),
        ({"rdb_last_bgsave_status": "err"}, "could not write a snapshot"),
    ],
)
def test_what_counts_as_a_disk_that_fails(info: dict[str, Any], reason: str | None) -> None:
    found = disk_reason(info)
    assert found is None if reason is None else reason in (found or "")


@pytest.mark.io
async def test_a_full_memory_and_a_full_disk_are_notes_until_they_are_over(tmp_path: Path) -> None:
    node = Node(tmp_path / "redis", {"appendonly": "yes"})
    await node.start()
    redis = connect(f"redis://127.0.0.1:{node.port}/0", timeout=PATIENT)
    check = DurabilityCheck(redis, KEYS)
    assert await check() is None
    assert (check.note("memory"), check.note("disk")) == (None, None)

    await node.ask("SET", "before", "1")
    resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (64, resource.RLIM_INFINITY))

    async def disk_is_full() -> bool:
        with suppress(RedisError):
            await node.ask("SET", "x", "y" * 100)
        return await check() is None and bool(check.note("disk"))

    await until(disk_is_full, what="the note")
    await node.ask("CONFIG", "SET", "maxmemory", "1")
    assert await check() is None, "the service can still read"
    assert "refuses every write" in (check.note("memory") or "")
    assert "aof_last_write_status is err" in (check.note("disk") or "")

    resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    await node.ask("CONFIG", "SET", "maxmemory", "0")

    async def over() -> bool:
        await check()
        return check.note("memory") is None and check.note("disk") is None

    await until(over, what="no notes any longer")
    await redis.aclose()
    await node.stop()
