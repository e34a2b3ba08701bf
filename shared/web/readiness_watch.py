"""Background checks that keep /readyz up to date."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal

import structlog
from redis.asyncio import Redis

from shared.journal.keys import Keys
from shared.redis.durability import DurabilityCheck
from shared.web.probes import Readiness

log = structlog.get_logger()

Check = Callable[[], Awaitable[str | None]]
"""Returns why a part is not ready, as a sentence for the operator. None: the part is ready."""

_STORE_INTERVAL = 10.0


async def watch_part(
    readiness: Readiness,
    part: str,
    check: Check,
    *,
    interval: float = 1.0,
    unready_interval: float = 0.25,
    level: Literal["warning", "error"] = "warning",
) -> None:
    """Check a part for ever and set its readiness. Raises what the check raises.

    The next check follows after `interval` seconds, or after `unready_interval` seconds while the
    part is not ready. Each change is logged once: as `part_unwell` at `level`, or as `part_well`.
    """
    last: str | None = "starting"
    while True:
        reason = await check()
        readiness.set(part, reason)
        if reason is None and last is not None:
            log.info("part_well", part=part)
        elif reason != last:
            getattr(log, level)("part_unwell", part=part, reason=reason)
        last = reason
        await asyncio.sleep(interval if reason is None else unready_interval)


async def watch_store(readiness: Readiness, redis: Redis, keys: Keys, replicas: int = 0) -> None:
    """Watch the part `store`, which is ready while Redis keeps what is written to it.

    The notes `memory` and `disk` say what Redis is short of. The service stays ready, because it
    can still read.

    `replicas`: how many replicas each write waits for (WAIT_REPLICAS). Raises while Redis is away.
    """
    check = DurabilityCheck(redis, keys, replicas)
    for kind in ("memory", "disk"):
        readiness.note(kind, partial(check.note, kind))
    every = _STORE_INTERVAL
    await watch_part(
        readiness, "store", check, interval=every, unready_interval=every, level="error"
    )
