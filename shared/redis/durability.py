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

MIN_VERSION = (7, 0)
SAFE_POLICY = "noeviction"
_SECONDS = 10.0


class UnsafeRedisError(ExpectedRestart):
    """The Redis we have could lose or change what stands in it; the message says what to set."""


@dataclass(frozen=True, slots=True)
class DurabilityReport:
    """What makes a Redis unfit, if anything does, and what its operator should know."""

    wrong: str | None = None
    warnings: tuple[str, ...] = ()


def check_info(info: Mapping[str, Any]) -> DurabilityReport:
    """Of what INFO says: pure. What it leaves out (some that are rented do) is taken to be well."""
    shown = str(info.get("redis_version", "7.0"))
    if tuple(map(int, shown.split(".")[:2])) < MIN_VERSION:
        return DurabilityReport(f"Redis is {shown}: it takes 7.0 or newer, or Valkey")
    if (policy := info.get("maxmemory_policy", SAFE_POLICY)) != SAFE_POLICY:
        return DurabilityReport(
            "Redis throws away events and revocations when its memory is full: "
            f"maxmemory-policy is {policy}, set it to {SAFE_POLICY}"
        )
    warnings = []
    if not info.get("aof_enabled", 1):
        warnings.append(
            "a restart of Redis empties it and then its replicas; all that is not on the chain is "
            "lost: `CONFIG SET appendonly yes`, then the same in its configuration file"
        )
    if not info.get("maxmemory", 1):
        warnings.append("the kernel ends Redis when memory runs out: set maxmemory")
    return DurabilityReport(None, tuple(warnings))


def commands_in_aof(keys: Keys) -> tuple[tuple[str, ...], ...]:
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


def check_replay(commands: Sequence[Sequence[str]], answers: Sequence[Any]) -> DurabilityReport:
    """Judge what ACL DRYRUN answered for each of these commands as the user default. Pure."""
    for (name, key, *_), answer in zip(commands, answers, strict=True):
        if isinstance(answer, Exception):
            return DurabilityReport(None, (f"{_UNKNOWN} ({answer})",))
        if answer != b"OK":
            return DurabilityReport(_LOSES.format(name, key))
    return DurabilityReport()


_LOSES = (
    "a restart of Redis would lose the journal and the streams: Redis loads its append-only file "
    "with the rights of the user default, which may not {} {}. Put this line into the ACL file: "
    "user default off resetpass ~* &* +@all"
)
_UNKNOWN = (
    "unknown whether a restart of Redis keeps everything: give this user +acl|dryrun, so that the "
    "rights of the user default can be checked; it needs ~* &* +@all"
)


async def inspect(redis: Redis, keys: Keys, replicas: int = 0) -> DurabilityReport:
    """Ask this Redis. When this user may not ask, that is a doubt."""
    try:
        info = await redis.info("everything")
    except NoPermissionError:
        return DurabilityReport(
            None, ("unknown whether Redis keeps everything: give this user +info",)
        )
    redis_metrics.observe(info, replicas)
    found = check_info(info)
    if found.wrong or not info.get("aof_enabled"):
        return found
    replay = await _inspect_replay(redis, keys)
    redis_metrics.PROBLEM.labels(RedisProblem.ACL).set(replay.wrong is not None)
    return DurabilityReport(replay.wrong, found.warnings + replay.warnings)


async def _inspect_replay(redis: Redis, keys: Keys) -> DurabilityReport:
    """Whether the user default may run what is in the append-only file (docs/decisions.md 47).

    ACL DRYRUN checks rights only; that the user is off does not matter.
    """
    commands = commands_in_aof(keys)
    pipe = redis.pipeline(transaction=False)
    for command in commands:
        pipe.execute_command("ACL DRYRUN", "default", *command)
    return check_replay(commands, await pipe.execute(raise_on_error=False))


async def require_durable(redis: Redis, keys: Keys) -> None:
    """Raises UnsafeRedisError."""
    if wrong := (await inspect(redis, keys)).wrong:
        raise UnsafeRedisError(wrong)


async def watch(
    redis: Redis, keys: Keys, say: Callable[[str | None], None], replicas: int = 0
) -> None:
    """Call `say` with what is wrong (None: nothing), for ever. Raises while Redis is away.

    `replicas`: how many a write waits for (WAIT_REPLICAS).
    """
    before = DurabilityReport()
    while True:
        try:
            finding = await inspect(redis, keys, replicas)
        except (RedisError, OSError):
            redis_metrics.unreachable()
            raise
        say(finding.wrong)
        if finding != before:
            report = log.error if finding.wrong else log.warning
            report("redis_examined", wrong=finding.wrong, warnings=finding.warnings)
        before = finding
        await asyncio.sleep(_SECONDS)
