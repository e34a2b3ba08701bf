"""The last attempts to deliver to an endpoint, for its owner.

A list of JSON documents for each endpoint, the newest first. `progress_write.lua` adds to it. The
attempts of tests and of redeliveries are added by `AttemptStore.add`. Both add nothing for an
endpoint that was deleted: nobody would ever delete its list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson
from redis.asyncio import Redis

from shared.journal.keys import Keys
from shared.redis.scripts import load_script

_ADD = load_script(__package__, "attempt_add")

KEPT_ATTEMPTS = 50


class AttemptKind(StrEnum):
    """Why a delivery was made."""

    EVENT = "event"
    TEST = "test"
    REDELIVERY = "redelivery"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One HTTP request to an endpoint. `at` is in Unix seconds, `seconds` is how long it took.

    * `message_id`: the header `webhook-id`; the position of the event, or of the last of a batch.
    * `events`: how many events the request had.
    * `status`: of the answer; None if there was none. Then `error` says why.
    * `answer`: the beginning of the answer's body, as text.
    """

    at: float
    kind: AttemptKind
    message_id: str
    events: int
    seconds: float
    status: int | None = None
    answer: str = ""
    error: str = ""

    @property
    def was_taken(self) -> bool:
        """True if the receiver acknowledged the delivery: any 2xx (Standard Webhooks)."""
        return self.status is not None and 200 <= self.status < 300


class AttemptStore:
    """The attempts of all endpoints of one namespace."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._add = redis.register_script(_ADD)

    async def newest(self, endpoint_id: str) -> Sequence[Attempt]:
        """The last attempts, the newest first."""
        rows: Any = self._redis.lrange(self._keys.webhook_attempts(endpoint_id), 0, -1)
        return [parse_attempt(row) for row in await rows]

    async def add(self, endpoint_id: str, attempt: Attempt) -> None:
        """Add an attempt that changes no progress, unless the endpoint was deleted meanwhile."""
        attempts, document = self._keys.webhook_attempts(endpoint_id), encode_attempt(attempt)
        args = (self._keys.webhooks, endpoint_id, document, KEPT_ATTEMPTS)
        await self._add(keys=[attempts], args=args)


def encode_attempt(attempt: Attempt) -> bytes:
    """The stored JSON."""
    return orjson.dumps(
        {
            "at": round(attempt.at, 3),
            "kind": attempt.kind,
            "messageId": attempt.message_id,
            "events": attempt.events,
            "seconds": round(attempt.seconds, 4),
            "status": attempt.status,
            "answer": attempt.answer,
            "error": attempt.error,
        }
    )


def parse_attempt(stored: bytes) -> Attempt:
    """The attempt in the JSON that `encode_attempt` made."""
    document: Mapping[str, Any] = orjson.loads(stored)
    return Attempt(
        at=document["at"],
        kind=AttemptKind(document["kind"]),
        message_id=document["messageId"],
        events=document["events"],
        seconds=document["seconds"],
        status=document["status"],
        answer=document["answer"],
        error=document["error"],
    )
