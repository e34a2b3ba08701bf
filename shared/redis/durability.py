"""Whether Redis is configured so that it keeps what is written to it.

It is asked when a service starts and every ten seconds, since a failover leads to another server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from shared.journal.keys import Keys
from shared.redis import metrics as redis_metrics
from shared.redis.client import RedisError
from shared.redis.metrics import RedisProblem
from shared.runtime.tasks import ExpectedRestart

log = structlog.get_logger()

OLDEST = (7, 0)
KEEPS = "noeviction"
_SECONDS = 10.0


class UnsafeRedisError(ExpectedRestart):
    """The Redis we have could lose or change what stands in it; the message says what to set."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What makes a Redis unfit, if anything does, and what its operator should know."""

    wrong: str | None = None
    warnings: tuple[str, ...] = ()


def check_info(info: Mapping[str, Any]) -> Finding:
    """Of what INFO says: pure. What it leaves out (some that are rented do) is taken to be well."""
    shown = str(info.get("redis_version", "7.0"))
    if tuple(map(int, shown.split(".")[:2])) < OLDEST:
        return Finding(f"Redis is {shown}: it takes 7.0 or newer, or Valkey")
    if (policy := info.get("maxmemory_policy", KEEPS)) != KEEPS:
        return Finding(
            "Redis throws away events and revocations when its memory is full: "
            f"maxmemory-policy is {policy}, set it to {KEEPS}"
        )
    warnings = []
    if not info.get("aof_enabled", 1):
        warnings.append(
            "a restart of Redis empties it and then its replicas; all that is not on the chain is "
            "lost: `CONFIG SET appendonly yes`, then the same in its configuration file"
        )
    if not info.get("maxmemory", 1):
        warnings.append("the kernel ends Redis when memory runs out: set maxmemory")
    return Finding(None, tuple(warnings))


def replayed(keys: Keys) -> tuple[tuple[str, ...], ...]:
    """Each command that our scripts leave in the append-only file, with sample arguments.

    Redis writes what a script did as a transaction. Times become absolute (PXAT, PEXPIREAT). A key
    that has expired becomes a DEL or UNLINK.
    """
    return (
        ("SET", keys.stream("0"), "", "PXAT", "1"),
        ("DEL", keys.lease),
        ("UNLINK", keys.rate("any", "0")),
        ("PEXPIREAT", keys.lease, "1"),
        ("HSET", keys.progress, "cursor", "0"),
        ("XADD", keys.journal, "1-1", "b", ""),
        ("XDEL", keys.journal, "1-1"),
        ("ZADD", keys.topic("0"), "0", "0"),
        ("ZREM", keys.index("any"), "0"),
        ("ZREMRANGEBYSCORE", keys.connections("user", "0"), "0", "1"),
    )


def judge_replay(commands: Sequence[Sequence[str]], answers: Sequence[Any]) -> Finding:
    """Judge what ACL DRYRUN answered for each of these commands as the user default. Pure."""
    for (name, key, *_), answer in zip(commands, answers, strict=True):
        if isinstance(answer, Exception):
            return Finding(None, (f"{_UNKNOWN} ({answer})",))
        if answer != b"OK":
            return Finding(_LOSES.format(name, key))
    return Finding()


_LOSES = (
    "a restart of Redis would lose the journal and the streams: Redis loads its append-only file "
    "with the rights of the user default, which may not {} {}. Put this line into the ACL file: "
    "user default off resetpass ~* &* +@all"
)
_UNKNOWN = (
    "unknown whether a restart of Redis keeps everything: give this user +acl|dryrun, so that the "
    "rights of the user default can be checked; it needs ~* &* +@all"
)


async def examine(redis: Redis, keys: Keys, replicas: int = 0) -> Finding:
    """Ask this Redis. When this user may not ask, that is a doubt."""
    try:
        info = await redis.info("everything")
    except NoPermissionError:
        return Finding(None, ("unknown whether Redis keeps everything: give this user +info",))
    redis_metrics.observe(info, replicas)
    found = check_info(info)
    if found.wrong or not info.get("aof_enabled"):
        return found
    replay = await _examine_replay(redis, keys)
    redis_metrics.PROBLEM.labels(RedisProblem.ACL).set(replay.wrong is not None)
    return Finding(replay.wrong, found.warnings + replay.warnings)


async def _examine_replay(redis: Redis, keys: Keys) -> Finding:
    """Whether the user default may run what is in the append-only file (docs/decisions.md 47).

    ACL DRYRUN checks rights only; that the user is off does not matter.
    """
    commands = replayed(keys)
    pipe = redis.pipeline(transaction=False)
    for command in commands:
        pipe.execute_command("ACL DRYRUN", "default", *command)
    return judge_replay(commands, await pipe.execute(raise_on_error=False))


async def require_fit(redis: Redis, keys: Keys) -> None:
    """Raises UnsafeRedisError."""
    if wrong := (await examine(redis, keys)).wrong:
        raise UnsafeRedisError(wrong)


async def watch(
    redis: Redis, keys: Keys, say: Callable[[str | None], None], replicas: int = 0
) -> None:
    """Call `say` with what is wrong (None: nothing), for ever. Raises while Redis is away.

    `replicas`: how many a write waits for (WAIT_REPLICAS).
    """
    before = Finding()
    while True:
        try:
            finding = await examine(redis, keys, replicas)
        except (RedisError, OSError):
            redis_metrics.unreachable()
            raise
        say(finding.wrong)
        if finding != before:
            report = log.error if finding.wrong else log.warning
            report("redis_examined", wrong=finding.wrong, warnings=finding.warnings)
        before = finding
        await asyncio.sleep(_SECONDS)
