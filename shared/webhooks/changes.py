"""The log of changes: what the API tells all dispatchers about endpoints.

A Redis Stream. Each dispatcher reads all of it, and acts on the endpoints that it has. A change is
only a hint to load the endpoint again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from shared.journal.keys import Keys
from shared.webhooks.store import CHANGES_KEPT


class ChangeKind(StrEnum):
    """What happened."""

    CHANGED = "changed"
    """The endpoint was created, changed or deleted."""
    TEST = "test"
    """A test delivery is to be sent. `job` is the id of its message."""
    REDELIVER = "redeliver"
    """A redelivery was asked for, or stopped. `job` is its id."""


class Change(NamedTuple):
    """One entry of the log."""

    endpoint_id: str
    kind: ChangeKind
    job: str = ""


class ChangeLog:
    """The log of one namespace."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._key = keys.webhook_changes

    async def add(self, change: Change) -> None:
        """Tell all dispatchers."""
        pipe = self._redis.pipeline(transaction=False)
        self.queue(pipe, change)
        await pipe.execute()

    def queue(self, pipe: Pipeline, change: Change) -> None:
        """Tell all dispatchers, together with the other commands of the pipeline."""
        fields: Any = {"endpoint": change.endpoint_id, "kind": change.kind, "job": change.job}
        pipe.xadd(self._key, fields, maxlen=CHANGES_KEPT, approximate=True)

    async def end(self) -> str:
        """The id of the newest entry, to read from there. "0-0" if there is none."""
        rows: Any = await self._redis.xrevrange(self._key, count=1)
        return rows[0][0].decode() if rows else "0-0"

    async def after(self, entry_id: str) -> tuple[str, Sequence[Change]] | None:
        """The changes after an entry, and the id of the last one.

        None if changes may have been dropped or lost since: load all endpoints again.
        """
        pipe = self._redis.pipeline(transaction=False)
        pipe.xrange(self._key, min=entry_id)
        rows: Any = (await pipe.execute())[0]
        if entry_id != "0-0":
            if not rows or rows[0][0].decode() != entry_id:
                return None
            rows = rows[1:]
        last = rows[-1][0].decode() if rows else entry_id
        return last, [parse_change(fields) for _, fields in rows]


def parse_change(fields: Mapping[bytes, bytes]) -> Change:
    """The change in the fields of an entry."""
    job = fields.get(b"job", b"").decode()
    return Change(fields[b"endpoint"].decode(), ChangeKind(fields[b"kind"].decode()), job)
