"""Redeliveries: events that an owner asked to be delivered once more.

A hash of JSON documents for each endpoint. The API adds a redelivery, and a dispatcher moves its
position and deletes it at its end. The API deletes one that its owner stops. Redeliveries run
beside the deliveries of new events, and do not change the endpoint's progress.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from redis.asyncio import Redis

from shared.domain.errors import HeadraceError
from shared.domain.position import Position, parse_position
from shared.journal.keys import Keys
from shared.journal.plan import StoredResponse
from shared.redis.replication import Replicas
from shared.redis.scripts import load_script
from shared.webhooks.changes import Change, ChangeKind, ChangeLog
from shared.webhooks.store import CHANGES_KEPT, AlreadyAnsweredError, EndpointDeletedError

_ADD = load_script(__package__, "redelivery_add")
_MOVE = load_script(__package__, "redelivery_move")
_GONE, _FULL = 0, -1
"""Replies of the script: there is no such endpoint; it has too many redeliveries."""
_PAGE = 500

MOST_REDELIVERIES = 5
"""An endpoint can have so many redeliveries that have not ended."""


@dataclass(frozen=True, slots=True)
class Redelivery:
    """The events of an endpoint after the position `after`, up to and including `to`."""

    id: str
    after: Position
    to: Position


class TooManyRedeliveriesError(HeadraceError):
    """The endpoint has as many redeliveries that have not ended as it may have."""

    def __init__(self) -> None:
        super().__init__(
            f"{MOST_REDELIVERIES} redeliveries of this webhook have not ended. "
            "Wait until one of them has, or stop one."
        )


class RedeliveryStore:
    """The redeliveries of all endpoints of one namespace."""

    def __init__(self, redis: Redis, keys: Keys, replicas: Replicas | None = None) -> None:
        self._redis = redis
        self._keys = keys
        self._replicas = replicas or Replicas(redis)
        self._changes = ChangeLog(redis, keys)
        self._add = redis.register_script(_ADD)
        self._move = redis.register_script(_MOVE)

    async def add(
        self,
        endpoint_id: str,
        after: Position,
        to: Position,
        response: StoredResponse | None = None,
    ) -> Redelivery:
        """Ask for a redelivery, and store `response` for a repetition of the same request.

        Raises EndpointDeletedError, TooManyRedeliveriesError, and AlreadyAnsweredError. Nothing is
        written then.
        """
        redelivery = Redelivery(secrets.token_hex(8), after, to)
        reply = await self._store(endpoint_id, redelivery, response)
        if isinstance(reply, bytes):
            raise AlreadyAnsweredError(reply)
        if reply == _GONE:
            raise EndpointDeletedError(f"webhook {endpoint_id} was deleted")
        if reply == _FULL:
            raise TooManyRedeliveriesError
        return redelivery

    async def _store(
        self, endpoint_id: str, redelivery: Redelivery, response: StoredResponse | None
    ) -> int | bytes:
        keys = self._keys
        names = [keys.webhooks, keys.webhook_redeliveries(endpoint_id), keys.webhook_changes]
        args: list[str | bytes | int] = [endpoint_id, redelivery.id, _encode(redelivery)]
        args += [MOST_REDELIVERIES, CHANGES_KEPT]
        if response:
            names.append(response.key)
            args += [response.prefix, response.seconds]
        refusals = (_GONE, _FULL)
        reply: int | bytes = await self._replicas.call(self._add, names, args, refusals=refusals)
        return reply

    async def stop(self, endpoint_id: str, redelivery_id: str) -> bool:
        """End a redelivery, as its owner asks. False if it has ended."""
        key, pipe = self._keys.webhook_redeliveries(endpoint_id), self._replicas.pipeline()
        pipe.hdel(key, redelivery_id)
        self._changes.queue(pipe, Change(endpoint_id, ChangeKind.REDELIVER, redelivery_id))
        return bool((await self._replicas.execute(pipe))[0])

    async def move(
        self, endpoint_id: str, redelivery: Redelivery, *, partition: int, token: str
    ) -> bool:
        """Store how far a redelivery is: `after` has moved. It is never moved back.

        False if it was stopped, or if the lease of the partition does not have this token. Then
        nothing was stored.
        """
        keys = [self._keys.webhook_partition(partition)]
        keys.append(self._keys.webhook_redeliveries(endpoint_id))
        return bool(await self._move(keys=keys, args=[token, redelivery.id, _encode(redelivery)]))

    async def delete(self, endpoint_id: str, redelivery_id: str) -> None:
        """Forget a redelivery that has ended."""
        deleted: Any = self._redis.hdel(self._keys.webhook_redeliveries(endpoint_id), redelivery_id)
        await deleted

    async def of_endpoint(self, endpoint_id: str) -> Sequence[Redelivery]:
        """The redeliveries of an endpoint that have not ended, in no order."""
        return (await self.of_endpoints([endpoint_id]))[endpoint_id]

    async def of_endpoints(
        self, endpoint_ids: Collection[str]
    ) -> Mapping[str, Sequence[Redelivery]]:
        """The redeliveries of each of these endpoints that have not ended, in no order."""
        ids, found = list(endpoint_ids), dict[str, Sequence[Redelivery]]()
        for start in range(0, len(ids), _PAGE):
            part = ids[start : start + _PAGE]
            pipe = self._redis.pipeline(transaction=False)
            for own in part:
                pipe.hgetall(self._keys.webhook_redeliveries(own))
            for own, rows in zip(part, await pipe.execute(), strict=True):
                found[own] = [_parse(name, value) for name, value in rows.items()]
        return found


def _encode(redelivery: Redelivery) -> bytes:
    return orjson.dumps({"after": str(redelivery.after), "to": str(redelivery.to)})


def stored_redelivery(text: str) -> Redelivery:
    """The redelivery in a stored response, after its prefix: the id, and the document."""
    name, _, document = text.encode().partition(b"\n")
    return _parse(name, document)


def _parse(name: bytes, value: bytes) -> Redelivery:
    document = orjson.loads(value)
    return Redelivery(
        name.decode(), parse_position(document["after"]), parse_position(document["to"])
    )
