"""Redeliveries: events that an owner asked to be delivered once more.

A hash of JSON documents for each endpoint. The API adds a redelivery, and a dispatcher moves its
position and deletes it at its end. Redeliveries run beside the deliveries of new events, and do
not change the endpoint's progress.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from redis.asyncio import Redis

from shared.domain.position import Position, parse_position
from shared.journal.keys import Keys
from shared.redis.replication import Replicas
from shared.webhooks.changes import Change, ChangeKind, ChangeLog

MOST_REDELIVERIES = 5
"""An endpoint can have so many redeliveries that have not ended."""


@dataclass(frozen=True, slots=True)
class Redelivery:
    """The events of an endpoint after the position `after`, up to and including `to`."""

    id: str
    after: Position
    to: Position


class RedeliveryStore:
    """The redeliveries of all endpoints of one namespace."""

    def __init__(self, redis: Redis, keys: Keys, replicas: Replicas | None = None) -> None:
        self._redis = redis
        self._keys = keys
        self._replicas = replicas or Replicas(redis)
        self._changes = ChangeLog(redis, keys)

    async def add(self, endpoint_id: str, after: Position, to: Position) -> Redelivery | None:
        """Ask for a redelivery. None if the endpoint has too many that have not ended."""
        key = self._keys.webhook_redeliveries(endpoint_id)
        count: Any = self._redis.hlen(key)
        if await count >= MOST_REDELIVERIES:
            return None
        redelivery = Redelivery(secrets.token_hex(8), after, to)
        await self.save(endpoint_id, redelivery)
        await self._changes.add(Change(endpoint_id, ChangeKind.REDELIVER, redelivery.id))
        return redelivery

    async def save(self, endpoint_id: str, redelivery: Redelivery) -> None:
        """Store how far a redelivery is: `after` has moved."""
        document = {"after": str(redelivery.after), "to": str(redelivery.to)}
        pipe = self._replicas.pipeline()
        key = self._keys.webhook_redeliveries(endpoint_id)
        pipe.hset(key, redelivery.id, orjson.dumps(document))
        await self._replicas.execute(pipe)

    async def delete(self, endpoint_id: str, redelivery_id: str) -> None:
        """Forget a redelivery that has ended."""
        deleted: Any = self._redis.hdel(self._keys.webhook_redeliveries(endpoint_id), redelivery_id)
        await deleted

    async def of_endpoint(self, endpoint_id: str) -> Sequence[Redelivery]:
        """The redeliveries of an endpoint that have not ended."""
        rows: Any = self._redis.hgetall(self._keys.webhook_redeliveries(endpoint_id))
        return [_parse(name, value) for name, value in (await rows).items()]


def _parse(name: bytes, value: bytes) -> Redelivery:
    document = orjson.loads(value)
    return Redelivery(
        name.decode(), parse_position(document["after"]), parse_position(document["to"])
    )
