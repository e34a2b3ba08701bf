"""The indexer's progress: one hash in Redis that says up to where the source has been read.

Only the commit writes it, in the same script call as the events (commit.lua). So progress and
journal always fit together. The fields:

* `cursor`: the TOID up to which the source has been read. RPC's cursors have `-<n>` after it.
* `ledger`, `closedAt`: the last ledger that was read, and its close time (RFC 3339).
* `began`: the position at which the journal starts, below its first entry.
* `lost`: the cursor at the end of the last gap: ledgers up to it were lost.
* `marked`: the `lost` after which the streams were marked as uncertain.
* `told`: the position of the last `journal.reset` event.
* `first`: the previous position in the very first entry of the journal. Only the script writes this
  field.
* `server`: the replication id of the Redis whose history the indexer has accepted.
* `checkpointLedger`, `checkpointHash`: a recent ledger and its hash, to notice a network reset.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from shared.domain.instant import unix_seconds
from shared.domain.position import START, Position, parse_position
from shared.journal.keys import Keys

_FIELDS = ("ledger", "closedAt", "cursor", "began", "lost", "marked", "told", "first", "server")
_CHECKPOINT = ("checkpointLedger", "checkpointHash")


class StoredProgress(NamedTuple):
    """The stored fields. A missing field is None; a missing `last_reset` is START."""

    ledger: int | None
    closed_at: float | None
    cursor: int | None
    began: Position | None
    lost: int | None
    marked: int | None
    last_reset: Position
    first: str | None
    server: str | None


def queue_read(pipe: Pipeline, keys: Keys) -> None:
    """Add the read of all fields to a pipeline. Then pass the reply to `parse`."""
    pipe.hmget(keys.progress, list(_FIELDS))


def parse(reply: Sequence[bytes | None]) -> StoredProgress:
    """The progress in the reply to `queue_read`."""
    ledger, closed_at, cursor, began, lost, marked, last_reset, first, server = [
        each.decode() if each else None for each in reply
    ]
    return StoredProgress(
        ledger=int(ledger) if ledger else None,
        closed_at=unix_seconds(closed_at) if closed_at else None,
        cursor=int(cursor.partition("-")[0]) if cursor else None,
        began=parse_position(began) if began else None,
        lost=int(lost) if lost else None,
        marked=int(marked) if marked else None,
        last_reset=parse_position(last_reset) if last_reset else START,
        first=first,
        server=server,
    )


async def read_progress(redis: Redis, keys: Keys) -> StoredProgress:
    """The stored progress, in one round trip."""
    reply: Any = await redis.hmget(keys.progress, list(_FIELDS))
    return parse(reply)


async def read_fields(redis: Redis, keys: Keys) -> dict[str, str]:
    """All fields as they are stored, for the archive, which keeps them for a restore."""
    names = [*_FIELDS, *_CHECKPOINT]
    reply: Any = await redis.hmget(keys.progress, names)
    return {name: value.decode() for name, value in zip(names, reply, strict=True) if value}


def progress_fields(
    *,
    cursor: int | None = None,
    ledger: int | None = None,
    closed_at: str | None = None,
    began: Position | None = None,
    lost: int | None = None,
    marked: int | None = None,
    last_reset: Position | None = None,
    server: str | None = None,
) -> dict[str, str]:
    """The fields that the commit writes. A field that is None keeps its stored value."""
    fields = {
        "cursor": cursor,
        "ledger": ledger,
        "closedAt": closed_at,
        "began": began,
        "lost": lost,
        "marked": marked,
        "told": last_reset,
        "server": server,
    }
    return {name: str(value) for name, value in fields.items() if value is not None}


async def read_checkpoint(redis: Redis, keys: Keys) -> tuple[int, str] | None:
    """Ledger number and hash of the last checkpoint; None before the first one."""
    reply: Any = await redis.hmget(keys.progress, list(_CHECKPOINT))
    ledger, digest = reply
    return (int(ledger), digest.decode()) if ledger and digest else None


def checkpoint_fields(ledger: int, digest: str) -> dict[str, str]:
    """The fields of a new checkpoint, which the commit writes."""
    return dict(zip(_CHECKPOINT, (str(ledger), digest), strict=True))
