"""A journal with events, endpoints in Redis, and dispatchers as processes or in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp.test_utils import TestServer
from redis.asyncio import Redis

from services.webhooks.app import build_app
from services.webhooks.settings import DispatcherSettings
from shared.domain import commands
from shared.domain.events import Event
from shared.domain.position import Position, journal_start, parse_position
from shared.domain.topics import Subscription, user_topic
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.webhooks.endpoint import Endpoint, SealedSecret
from shared.webhooks.progress import Progress, ProgressStore
from shared.webhooks.store import EndpointStore, new_endpoint_id
from tests.shared.samples import TOKEN, TYPE, R, S, at, chain, created
from tests.webhooks.receiver import SECRET

BEGAN = journal_start(at(1).toid - 4096, 1 << 40)
MOST = 100_000
STREAMS = 10
"""Events of the chain are of so many streams in turn."""


def environment(redis_url: str, keys: Keys, **more: object) -> dict[str, Any]:
    """The settings of a dispatcher that may reach receivers on loopback."""
    given = {
        "REDIS_URL": redis_url,
        "NAMESPACE": keys.namespace,
        "CONTRACTS": f"{TOKEN}:stream",
        "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "WEBHOOK_LEASE_SECONDS": "60",
    }
    return given | {name.upper(): value for name, value in more.items()}


@asynccontextmanager
async def dispatching(redis_url: str, keys: Keys, **more: object) -> AsyncIterator[None]:
    """A dispatcher in this process."""
    given = {name.lower(): value for name, value in environment(redis_url, keys, **more).items()}
    async with TestServer(build_app(DispatcherSettings(**given))):
        yield


class World:
    """One namespace. `ledger` is the last one that was committed."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.redis = redis
        self.keys = keys
        self.endpoints = EndpointStore(redis, keys)
        self.ledger = 0
        self._committer = Committer(redis, keys)
        self._progress = ProgressStore(redis, keys)

    async def begin(self) -> None:
        """Begin the journal, as an indexer does."""
        progress = {"cursor": str(BEGAN.toid), "began": str(BEGAN)}
        await self._committer.record([], progress=progress)

    async def commit(self, ledgers: int = 1) -> list[str]:
        """One event in each of the next ledgers, of STREAMS in turn. Returns their ids."""
        events = [self._next_event() for _ in range(ledgers)]
        progress = {"cursor": str(at(self.ledger).toid), "ledger": str(self.ledger)}
        await self._committer.record(events, progress=progress)
        return [str(each.position) for each in events]

    def _next_event(self) -> Event:
        self.ledger += 1
        number, position = self.ledger % STREAMS, at(self.ledger)
        if self.ledger <= STREAMS:
            return created(str(number + 1), position, depositedAmount=str(10**12))
        facts: dict[str, Any] = {"amount": "1", "recipient": R, "timestamp": 100}
        return chain(TYPE.STREAM_WITHDRAWN, str(number + 1), position, **facts)

    async def commit_beside(self) -> str:
        """One more event in the ledger that was committed last."""
        number, position = self.ledger % STREAMS, at(self.ledger, 1)
        facts: dict[str, Any] = {"amount": "1", "recipient": R, "timestamp": 100}
        event = chain(TYPE.STREAM_WITHDRAWN, str(number + 1), position, **facts)
        await self._committer.record([event], progress={"cursor": str(position.toid)})
        return str(position)

    async def rewind(self, *, to: int) -> None:
        """Commit again from after this ledger, because Redis lost what follows.

        The progress names another server, as when an indexer has caught up after a failover.
        """
        self.ledger = to
        await self.redis.hset(self.keys.progress, "server", "a-new-primary")
        self._committer = Committer(self.redis, self.keys)

    async def trim(self, *, kept: int) -> None:
        """Trim the journal to its newest entries, without an archive."""
        rows: Any = await self.redis.xrange(self.keys.journal)
        last = parse_position(rows[-kept - 1][0].decode()).padded
        await self.redis.xtrim(self.keys.journal, maxlen=kept, approximate=False)
        async for name in self.redis.scan_iter(self.keys.topic("*"), count=1000):
            await self.redis.zremrangebylex(name, "-", f"[{last}")

    async def stored_at(self, endpoint: Endpoint, position: str) -> Progress | None:
        """The stored progress, if it is at this position."""
        progress = await self.progress(endpoint)
        return progress if progress and str(progress.position) == position else None

    async def commit_api(self, name: str) -> str:
        """Create a stream as the API does. Returns the position of the event."""
        facts: dict[str, Any] = {"sender": S, "recipient": R, "token": TOKEN, "rate": 5}
        facts |= {"deposited": 1000, "start_time": 100, "now": 100, "metadata": {}}
        events = commands.create(stream_id=f"api-{name}", **facts)
        committer = Committer(self.redis, self.keys)
        done = await committer.change([f"api-{name}"], lambda _: events, fresh=True)
        return str(done.positions[-1])

    async def add(self, url: str, **more: Any) -> Endpoint:
        """Store an endpoint for the events of the sender."""
        given: dict[str, Any] = {
            "id": new_endpoint_id(),
            "account": S,
            "url": url,
            "subscription": Subscription((user_topic(S),)),
            "secrets": (SealedSecret(f"plain:{SECRET}"),),
            "created": 1_790_000_000,
            "begins_after": BEGAN,
        }
        endpoint = Endpoint(**(given | more))
        await self.endpoints.create(endpoint, most=MOST)
        return endpoint

    async def progress(self, endpoint: Endpoint) -> Progress | None:
        """The stored progress of an endpoint."""
        return (await self._progress.load([endpoint.id])).get(endpoint.id)

    async def position(self, endpoint: Endpoint) -> Position | None:
        """The stored position of an endpoint."""
        progress = await self.progress(endpoint)
        return None if progress is None else progress.position
