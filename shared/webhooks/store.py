"""The endpoints of a namespace in Redis, and the log of their changes.

A hash with the JSON of each endpoint, a sorted set of the endpoints of each account (those of all
its logins together), and a Redis Stream that tells dispatchers of changes, tests and redeliveries.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from shared.domain.errors import HeadraceError
from shared.domain.strkeys import account_of_login
from shared.journal.keys import Keys
from shared.journal.plan import StoredResponse
from shared.redis.replication import Replicas
from shared.redis.scripts import load_script
from shared.webhooks.endpoint import Endpoint, encode_endpoint, parse_endpoint

_WRITE = load_script(__package__, "endpoint_write")
_DELETE = load_script(__package__, "endpoint_delete")
_ID = re.compile(r"wh_[0-9a-f]{24}", re.ASCII)
_PAGE = 500
_FULL = -1
"""Reply of the script: the account has as many endpoints as it may have."""
_REFUSALS = (0, _FULL)

CHANGES_KEPT = 10_000
"""Dispatchers that were away for more changes load all endpoints again."""


class EndpointConflictError(HeadraceError):
    """Somebody else changed or deleted the endpoint in the meantime. Read it and try again."""


class EndpointDeletedError(HeadraceError):
    """The endpoint does not exist any more."""


class AlreadyAnsweredError(HeadraceError):
    """An earlier request with the same Idempotency-Key was carried out. `stored` is its response.

    This request has written nothing.
    """

    def __init__(self, stored: bytes) -> None:
        super().__init__("an earlier request with the same Idempotency-Key was carried out")
        self.stored = stored


class TooManyEndpointsError(HeadraceError):
    """The account has as many endpoints as it may have."""


def new_endpoint_id() -> str:
    """A random id, such as wh_5f0c1d2e3a4b5f0c1d2e3a4b."""
    return f"wh_{secrets.token_hex(12)}"


def is_endpoint_id(text: str) -> bool:
    """True if this can be the id of an endpoint."""
    return _ID.fullmatch(text) is not None


class EndpointStore:
    """The endpoints of one namespace. All methods raise redis-py's errors."""

    def __init__(self, redis: Redis, keys: Keys, replicas: Replicas | None = None) -> None:
        self._redis = redis
        self._keys = keys
        self._replicas = replicas or Replicas(redis)
        self._write = redis.register_script(_WRITE)
        self._delete = redis.register_script(_DELETE)

    async def create(
        self, endpoint: Endpoint, *, most: int, response: StoredResponse | None = None
    ) -> None:
        """Store a new endpoint, and `response` for a repetition of the same request.

        AlreadyAnsweredError: it is a repetition. Nothing is written then.
        TooManyEndpointsError: all logins of its account together have `most` of them.
        """
        reply = await self._put(endpoint, known=0, most=most, response=response)
        if reply == _FULL:
            raise TooManyEndpointsError(f"the account has {most} webhooks, the most it may have")

    async def replace(self, endpoint: Endpoint, *, response: StoredResponse | None = None) -> None:
        """Store a changed endpoint, whose `revision` is one higher than that of the stored one.

        Raises EndpointConflictError if the stored one has another revision, and
        AlreadyAnsweredError like `create`.
        """
        if not await self._put(endpoint, known=endpoint.revision - 1, most=0, response=response):
            raise EndpointConflictError(f"webhook {endpoint.id} was changed in the meantime")

    async def _put(
        self,
        endpoint: Endpoint,
        *,
        known: int,
        most: int,
        response: StoredResponse | None = None,
    ) -> int:
        keys, document = self._keys, encode_endpoint(endpoint)
        names = [keys.webhooks, self._index(endpoint.account), keys.webhook_changes]
        arguments: list[str | bytes | int] = [endpoint.id, document, known, most]
        arguments += [endpoint.created, CHANGES_KEPT]
        if response:
            names.append(response.key)
            arguments += [response.prefix, response.seconds]
        reply: int | bytes = await self._replicas.call(
            self._write, names, arguments, refusals=_REFUSALS
        )
        if isinstance(reply, bytes):
            raise AlreadyAnsweredError(reply)
        return reply

    async def delete(self, endpoint: Endpoint) -> bool:
        """Delete an endpoint and all that is stored of it. False if it was deleted before."""
        keys, own = self._keys, endpoint.id
        names = [keys.webhooks, self._index(endpoint.account), keys.webhook_changes]
        names += [keys.webhook_progress, keys.webhook_attempts(own), keys.webhook_redeliveries(own)]
        arguments = (own, CHANGES_KEPT)
        return bool(await self._replicas.call(self._delete, names, arguments, refusals=(0,)))

    async def confirm(self) -> None:
        """Wait until the replicas have all writes: an earlier request may not have got that far.

        Raises NotReplicatedError.
        """
        if self._replicas.count:
            pipe = self._replicas.pipeline()
            pipe.exists(self._keys.webhooks)  # WAIT needs a command before it on its connection
            await self._replicas.execute(pipe)

    async def load(self, endpoint_ids: Collection[str]) -> Mapping[str, Endpoint]:
        """These endpoints. Those that do not exist are left out."""
        if not (ids := list(endpoint_ids)):
            return {}
        stored: Any = await self._redis.hmget(self._keys.webhooks, ids)
        found = [parse_endpoint(raw) for raw in stored if raw is not None]
        return {each.id: each for each in found}

    def _index(self, login: str) -> str:
        """The set whose size is limited. One key can log in as any number of M… addresses."""
        return self._keys.webhooks_of(account_of_login(login))

    async def of_account(self, login: str) -> Sequence[Endpoint]:
        """The endpoints of exactly this login (G…, M…, or G… with a memo), the oldest first."""
        pipe = self._redis.pipeline(transaction=False)
        # Earlier versions had a set for each login. A change adds its endpoint to the other set.
        for key in {self._index(login), self._keys.webhooks_of(login)}:
            pipe.zrange(key, 0, -1)
        ids = {each.decode() for rows in await pipe.execute() for each in rows}
        found = [each for each in (await self.load(ids)).values() if each.account == login]
        return sorted(found, key=lambda each: (each.created, each.id))

    async def all(self) -> AsyncIterator[Endpoint]:
        """All endpoints, in no order. One that is changed meanwhile can come twice."""
        async for page in self.chosen(lambda _: True):
            for each in page:
                yield each

    async def chosen(self, is_wanted: Callable[[str], bool]) -> AsyncIterator[list[Endpoint]]:
        """The endpoints whose ids are wanted, page by page. Only these are parsed.

        In no order. One that is changed meanwhile can come twice.
        """
        cursor = 0
        while True:
            page: Any = await self._redis.hscan(self._keys.webhooks, cursor, count=_PAGE)
            cursor, rows = page
            yield [parse_endpoint(raw) for name, raw in rows.items() if is_wanted(name.decode())]
            if not cursor:
                return
