"""Checks that Redis is configured to keep what is written to it.

Services check Redis when they start and every ten seconds, because a failover can lead to a server
with another configuration.

See docs/decisions/0034-unsafe-redis-is-not-ready.md,
docs/decisions/0047-default-redis-user-is-off.md,
docs/decisions/0100-memory-and-disk-are-told-before-they-are-full.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from shared.journal.keys import Keys
from shared.redis import metrics as redis_metrics
from shared.redis.client import RedisError
from shared.redis.metrics import RedisProblem
from shared.redis.pressure import disk_reason, memory_reason
from shared.runtime.tasks import ExpectedRestart

log = structlog.get_logger()

MIN_VERSION = (7, 0)
SAFE_POLICY = "noeviction"


class UnsafeRedisError(ExpectedRestart):
    """Redis is configured so that data can be lost. The message says which setting to change."""


@dataclass(frozen=True, slots=True)
class DurabilityReport:
    """`error` says why Redis can lose data; it is None if Redis keeps all data.

    An error stops writes. A warning only appears in the log. `notes` says what Redis is short of:
    `memory`, `disk`.
    """

    error: str | None = None
    warnings: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)


def check_info(info: Mapping[str, Any]) -> DurabilityReport:
    """Check the answer of INFO. Pure.

    Managed services omit some fields. A missing field is assumed to be fine.
    """
    version = str(info.get("redis_version", "7.0"))
    if tuple(map(int, version.split(".")[:2])) < MIN_VERSION:
        return DurabilityReport(f"Redis {version} is too old: use Redis 7.0 or newer, or Valkey")
    if (policy := info.get("maxmemory_policy", SAFE_POLICY)) != SAFE_POLICY:
        return DurabilityReport(
            "Redis deletes events and revocations when its memory is full, because "
            f"maxmemory-policy is {policy}: set it to {SAFE_POLICY}"
        )
    warnings = []
    if not info.get("aof_enabled", 1):
        warnings.append(
            "a restart of Redis loses all data that is not on the chain, on the replicas too: run "
            "`CONFIG SET appendonly yes`, then set the same in the configuration file"
        )
    if not info.get("maxmemory", 1):
        warnings.append(
            "Redis has no memory limit, so the kernel kills it when memory runs out: set maxmemory"
        )
    return DurabilityReport(None, tuple(warnings))


def commands_in_aof(keys: Keys) -> tuple[tuple[str, ...], ...]:
    """Each command that our scripts write to the append-only file, with sample arguments.

    Redis writes the effects of a script as a transaction. It writes times as absolute times (PXAT,
    PEXPIREAT), and an expired key as DEL or UNLINK.
    """
    return (
        ("SET", keys.stream("0"), "", "PXAT", "1"),
        ("DEL", keys.lease),
        ("UNLINK", keys.rate("any", "0")),
        ("PEXPIREAT", keys.lease, "1"),
        ("HSET", keys.progress, "cursor", "0"),
        ("HDEL", keys.webhooks, "0"),
        ("LPUSH", keys.webhook_attempts("0"), ""),
        ("LTRIM", keys.webhook_attempts("0"), "0", "1"),
        ("XADD", keys.journal, "1-1", "b", ""),
        ("XDEL", keys.journal, "1-1"),
        ("ZADD", keys.topic("0"), "0", "0"),
        ("ZREM", keys.index("any"), "0"),
        ("ZREMRANGEBYSCORE", keys.connections("user", "0"), "0", "1"),
    )


def check_replay(commands: Sequence[Sequence[str]], answers: Sequence[Any]) -> DurabilityReport:
    """Check what ACL DRYRUN answered for these commands and the user `default`. Pure."""
    for (name, key, *_), answer in zip(commands, answers, strict=True):
        if isinstance(answer, Exception):
            return DurabilityReport(None, (f"{_REPLAY_UNKNOWN} ({answer})",))
        if answer != b"OK":
            return DurabilityReport(_REPLAY_FORBIDDEN.format(name, key))
    return DurabilityReport()


_REPLAY_FORBIDDEN = (
    "a restart of Redis would lose the journal and the streams: Redis loads its append-only file "
    "with the permissions of the user default, which may not run {} on {}. Put this line into the "
    "ACL file: user default off resetpass ~* &* +@all"
)
_REPLAY_UNKNOWN = (
    "unknown whether a restart of Redis keeps all data: give the user of this service +acl|dryrun, "
    "so that it can check the permissions of the user default, which needs ~* &* +@all"
)
_INFO_FORBIDDEN = "unknown whether Redis keeps all data: give the user of this service +info"


async def inspect(redis: Redis, keys: Keys, replicas: int = 0) -> DurabilityReport:
    """Check a running Redis. A check for which our user has no permission gives a warning.

    `replicas`: how many replicas each write waits for (WAIT_REPLICAS).
    """
    try:
        info = await redis.info("everything")
    except NoPermissionError:
        return DurabilityReport(None, (_INFO_FORBIDDEN,))
    redis_metrics.observe(info, replicas)
    report = replace(check_info(info), notes=_notes(info))
    if report.error or not info.get("aof_enabled"):
        return report
    replay = await _inspect_replay(redis, keys)
    redis_metrics.PROBLEM.labels(RedisProblem.ACL).set(replay.error is not None)
    return DurabilityReport(replay.error, report.warnings + replay.warnings, report.notes)


def _notes(info: Mapping[str, Any]) -> dict[str, str]:
    reasons = {"memory": memory_reason(info), "disk": disk_reason(info)}
    return {kind: reason for kind, reason in reasons.items() if reason}


async def _inspect_replay(redis: Redis, keys: Keys) -> DurabilityReport:
    """Check that the user `default` may run the commands in the append-only file.

    ACL DRYRUN only checks permissions, so it works although the user `default` cannot log in.
    """
    commands = commands_in_aof(keys)
    pipe = redis.pipeline(transaction=False)
    for command in commands:
        pipe.execute_command("ACL DRYRUN", "default", *command)
    return check_replay(commands, await pipe.execute(raise_on_error=False))


async def require_durable(redis: Redis, keys: Keys) -> None:
    """Raise UnsafeRedisError if Redis can lose data."""
    if error := (await inspect(redis, keys)).error:
        raise UnsafeRedisError(error)


class DurabilityCheck:
    """A check for /readyz (shared.web.readiness_watch). Logs changed warnings and notes."""

    def __init__(self, redis: Redis, keys: Keys, replicas: int = 0) -> None:
        self._redis = redis
        self._keys = keys
        self._replicas = replicas
        self._warnings: tuple[str, ...] = ()
        self._notes: Mapping[str, str] = {}

    def note(self, kind: str) -> str | None:
        """What the last check found about `memory` or `disk`; None if Redis has enough."""
        return self._notes.get(kind)

    async def __call__(self) -> str | None:
        """Why Redis can lose data; None when it cannot. Raises redis-py's errors."""
        try:
            report = await inspect(self._redis, self._keys, self._replicas)
        except (RedisError, OSError):
            redis_metrics.unreachable()
            raise
        if report.warnings != self._warnings:
            log.warning("redis_examined", warnings=report.warnings)
        if report.notes.keys() != self._notes.keys():
            log.warning("redis_pressure", **report.notes)
        self._warnings, self._notes = report.warnings, report.notes
        return report.error
