"""How far the deliveries to each endpoint are. Dispatchers write it, the API shows it.

A hash with a JSON document for each endpoint. A dispatcher writes only while it has the lease of
the endpoint's partition (`progress_write.lua`). So a dispatcher that was paused and lost the lease
cannot move a position back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from redis.asyncio import Redis

from shared.domain.position import Position, parse_position
from shared.journal.keys import Keys
from shared.redis.scripts import load_script
from shared.webhooks.attempts import KEPT_ATTEMPTS

_WRITE = load_script(__package__, "progress_write")


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of one generation of an endpoint. Times are Unix seconds.

    * `position`: everything up to it was acknowledged, or was not for this endpoint.
    * `acknowledged`: events above `position` that were acknowledged too. Only if the order is that
      of each stream, or after a failover of Redis: then these events come back.
    * `failures`: failed attempts since the last acknowledged delivery. `failing_since` is the time
      of the first of them, `retry_at` that of the next attempt.
    * `disabled`: why the endpoint gets nothing any more; "" if it does. `disabled_at`: since when.
    * `lost`: an event that was acknowledged and that Redis has lost. The receiver must get `reset`
      before anything else. None if there is none.
    * `batches`: those that began and were not acknowledged, each with the positions of its events.
      They come again as they were.
    * `writes`: how many writes were begun. One that reaches Redis late is ignored.
    """

    generation: int
    position: Position
    acknowledged: tuple[Position, ...] = ()
    failures: int = 0
    failing_since: float | None = None
    retry_at: float | None = None
    disabled: str = ""
    disabled_at: float | None = None
    lost: Position | None = None
    writes: int = 0
    batches: tuple[tuple[Position, ...], ...] = ()


class ProgressWrite(NamedTuple):
    """New progress of an endpoint, and the attempt that led to it (shared.webhooks.attempts).

    `attempt` is the JSON of the attempt, b"" if there was none.
    """

    endpoint_id: str
    progress: Progress
    attempt: bytes = b""


class ProgressStore:
    """The progress of all endpoints of one namespace."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._script = redis.register_script(_WRITE)

    async def load(self, endpoint_ids: Collection[str]) -> Mapping[str, Progress]:
        """The progress of these endpoints. Those that have none are left out."""
        if not (ids := list(endpoint_ids)):
            return {}
        stored: Any = await self._redis.hmget(self._keys.webhook_progress, ids)
        pairs = zip(ids, stored, strict=True)
        return {each: parse_progress(raw) for each, raw in pairs if raw is not None}

    async def write(self, partition: int, token: str, writes: Sequence[ProgressWrite]) -> bool:
        """Store progress of endpoints of one partition.

        False if the lease of the partition does not have this token. Then nothing was stored.
        Endpoints that were deleted in the meantime are left out, and those for which Redis has a
        progress with as many or more `writes`.
        """
        keys, names = self._keys, [each.endpoint_id for each in writes]
        arguments: list[str | bytes] = [token, str(KEPT_ATTEMPTS), keys.webhooks]
        for each in writes:
            arguments += [each.endpoint_id, encode_progress(each.progress), each.attempt]
        return bool(
            await self._script(
                keys=[
                    keys.webhook_partition(partition),
                    keys.webhook_progress,
                    *map(keys.webhook_attempts, names),
                ],
                args=[*arguments],
            )
        )


def encode_progress(progress: Progress) -> bytes:
    """The stored JSON."""
    return orjson.dumps(
        {
            "generation": progress.generation,
            "position": str(progress.position),
            "acknowledged": [str(each) for each in progress.acknowledged],
            "failures": progress.failures,
            "failingSince": progress.failing_since,
            "retryAt": progress.retry_at,
            "disabled": progress.disabled,
            "disabledAt": progress.disabled_at,
            "lost": None if progress.lost is None else str(progress.lost),
            "writes": progress.writes,
            "batches": [list(map(str, batch)) for batch in progress.batches],
        }
    )


def parse_progress(stored: bytes) -> Progress:
    """The progress in the JSON that `encode_progress` made."""
    document: Mapping[str, Any] = orjson.loads(stored)
    lost = document["lost"]
    return Progress(
        generation=document["generation"],
        position=parse_position(document["position"]),
        acknowledged=tuple(map(parse_position, document["acknowledged"])),
        failures=document["failures"],
        failing_since=document["failingSince"],
        retry_at=document["retryAt"],
        disabled=document["disabled"],
        disabled_at=document["disabledAt"],
        lost=None if lost is None else parse_position(lost),
        writes=document.get("writes", 0),  # earlier releases did not store it, nor batches
        batches=tuple(tuple(map(parse_position, each)) for each in document.get("batches", ())),
    )
