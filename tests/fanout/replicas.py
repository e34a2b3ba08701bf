"""Starts replicas in this process or as separate ones, and commits events of a chain."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import aiohttp
from aiohttp import web
from redis.asyncio import Redis

from services.fanout.admin import COMPONENTS
from services.fanout.app import build_app
from services.fanout.settings import FanoutSettings
from services.fanout.subscribe.handler import Components
from shared.domain.events import Event, EventType, Provenance
from shared.domain.position import Position, toid
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.plan import Retention
from tests.support.processes import ServiceProcess, running
from tests.support.sse_client import SseClient
from tests.support.waiting import until

StartReplica: TypeAlias = Callable[..., Awaitable["Replica"]]
"""Starts a replica with these settings. The first argument is the URL of Redis."""


CONTRACT = "CA6ENHU5NRMHLU32IPZVHVHYRZQ7Z6ASYZXO4NCXIZNEBMG2IFJ6AUB2"
ALICE = "GCS2BKDSKSWQT6SMSLBAFLFURPY3ZL74CGURQ5QNE2S2KQOX6XKNNRJG"
BOB = "GB6QM3Z43JKXJD4MPY7P3VWTHPCPA7ESCAJB5W3KUY6SGHRLXQCE32XD"
CAROL = "GCFIRY65OQE7DFP5KLNS2PF2LVZMUZYJX4OZIEQ36N2IQANUB5XVYOJR"

SUBSCRIBE = "/v1/events/subscribe"


@dataclass
class Replica:
    """A running fanout, in this process or in a separate one."""

    port: int
    own_process: ServiceProcess | None = None
    own_app: web.Application | None = None

    @property
    def process(self) -> ServiceProcess:
        """The process of a replica that `replica_process` started."""
        assert self.own_process
        return self.own_process

    @property
    def app(self) -> web.Application:
        """The application of a replica that `in_process_replica` started."""
        assert self.own_app
        return self.own_app

    async def subscribe(self, query: str = "all=true", since: str = "", **more: Any) -> SseClient:
        """Connect a client and wait for its first event. `since` is sent as Last-Event-ID."""
        headers = {"Last-Event-ID": since} if since else {}
        headers |= more.pop("headers", {})
        client = await SseClient.connect(self.port, f"{SUBSCRIBE}?{query}", headers=headers, **more)
        if not more.get("stalled"):
            await client.wait(1)
        return client

    async def get(self, path: str, **more: Any) -> tuple[int, str]:
        """The status and the body of a GET."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.port}{path}", **more) as response,
        ):
            return response.status, await response.text()

    @property
    def components(self) -> Components:
        """The components of a replica in this process."""
        return self.app[COMPONENTS]

    async def ready(self) -> bool:
        """Whether /readyz is 200."""
        return (await self.get("/readyz"))[0] == 200

    async def metric(self, name: str, **labels: str) -> float:
        """The current value of a metric of the fanout; 0 if it does not exist."""
        return await self.metric_of(f"headrace_fanout_{name}", **labels)

    async def metric_of(self, name: str, **labels: str) -> float:
        """The current value of any metric; 0 if it does not exist."""
        _, text = await self.get("/metrics")
        inner = ",".join(f'{k}="{v}"' for k, v in labels.items())
        pattern = re.escape(name + (f"{{{inner}}}" if inner else ""))
        found = re.search(rf"^{pattern} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    async def position(self) -> str:
        """The position of the feed, as a new client receives it."""
        client = await self.subscribe()
        client.close()
        return client.last_id

    async def at(self, position: Position | str) -> None:
        """Wait until the feed has published up to this position."""

        async def there() -> bool:
            return await self.position() == str(position)

        await until(there, what=f"the feed at {position}")


def _settings(redis_url: str, keys: Keys, more: dict[str, Any]) -> dict[str, Any]:
    return {
        "redis_url": redis_url,
        "namespace": keys.namespace,
        "contracts": CONTRACT,
        "drain_seconds": 0.3,
        "log_level": "warning",
    } | more


@asynccontextmanager
async def in_process_replica(
    redis_url: str, keys: Keys, *, wait: bool = True, **more: Any
) -> AsyncIterator[Replica]:
    """A replica in this process, on the test's event loop."""
    app = build_app(FanoutSettings(**_settings(redis_url, keys, more)))
    runner = web.AppRunner(
        app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0, max_line_size=1 << 16
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    replica = Replica(runner.addresses[0][1], own_app=app)
    try:
        if wait:  # read directly: /readyz is updated only a few times a second
            await until(lambda: _has_started(replica.components), what="the feed and the clock")
        yield replica
    finally:
        await runner.cleanup()


def _has_started(parts: Components) -> bool:
    """Whether the feed runs, has ended its first read of the journal, and the time is known."""
    feed = parts.feed
    is_reading = feed._behind.is_set() or feed._read_lock.locked()
    return feed.lag_reason is None and not is_reading and parts.clock.now() is not None


@asynccontextmanager
async def replica_process(
    redis_url: str, keys: Keys, *, wait: bool = True, **more: Any
) -> AsyncIterator[Replica]:
    """A replica in a separate process with uvloop, as in production."""
    settings = _settings(redis_url, keys, {"log_level": "info"} | more)
    environment = {name.upper(): value for name, value in settings.items()}
    async with running("services.fanout", **environment) as process:
        replica = Replica(process.port, own_process=process)
        if wait:
            await until(replica.ready, what="readiness")
        yield replica


class Chain:
    """Creates and commits events of a chain. Each event is in its own ledger."""

    def __init__(self, redis: Redis, keys: Keys, *, retention: Retention | None = None) -> None:
        self.ledger = 0
        self.committer = Committer(redis, keys, retention=retention)

    def event(
        self, stream: int = 7, sender: str = ALICE, recipient: str = BOB, padding: int = 0
    ) -> Event:
        """A stream.created event in the next ledger."""
        self.ledger += 1
        facts = {
            "sender": sender,
            "recipient": recipient,
            "tokenAddress": CONTRACT,
            "ratePerSecond": "5",
            "depositedAmount": "1000",
            "startTime": 100,
            "padding": "x" * padding,
        }
        return self._event(EventType.STREAM_CREATED, str(stream), facts)

    def fee(self, stream: int = 7) -> Event:
        """A stream.fee_collected event in the next ledger."""
        self.ledger += 1
        return self._event(EventType.STREAM_FEE_COLLECTED, str(stream), {"feeAmount": "1"})

    def transferred(self, stream: int, old: str, new: str) -> Event:
        """A stream.recipient_transferred event in the next ledger."""
        self.ledger += 1
        facts = {"oldRecipient": old, "newRecipient": new, "settledAmount": "0"}
        return self._event(EventType.STREAM_RECIPIENT_TRANSFERRED, str(stream), facts)

    def broadcast(self) -> Event:
        """A contract.initialized event in the next ledger. All subscribers get it."""
        self.ledger += 1
        return self._event(EventType.CONTRACT_INITIALIZED, None, {"admin": ALICE})

    def _event(self, kind: EventType, stream: str | None, facts: Mapping[str, object]) -> Event:
        provenance = Provenance(CONTRACT, self.ledger, "2026-07-21T18:01:10Z", "ab" * 32, True)
        return Event(kind, stream, 100, facts, Position(toid(self.ledger, 1), 0), provenance)

    async def commit(self, *events: Event) -> list[str]:
        """Commit these events, or one new event, in one call. Return their positions."""
        events = events or (self.event(),)
        progress = {
            "cursor": str(events[-1].position),
            "ledger": str(self.ledger),
            "closedAt": "2026-07-21T18:01:10Z",
        }
        done = await self.committer.record(events, progress=progress)
        return [str(p) for p in done.positions]

    async def commit_many(self, count: int, **more: Any) -> list[str]:
        """Commit this many events, up to a hundred in one call."""
        positions: list[str] = []
        while len(positions) < count:
            batch = [self.event(**more) for _ in range(min(100, count - len(positions)))]
            positions += await self.commit(*batch)
        return positions


def position_of(event: Event) -> Position:
    """The position of a chain event. It is known before the commit."""
    assert event.position
    return event.position


def api_event(stream: str = "7") -> Event:
    """An event of the API. The commit assigns its position."""
    return Event(EventType.STREAM_UPDATED, stream, 100, {"metadata": {"note": "api"}})


async def api_commit(committer: Committer, stream: str = "7") -> str:
    """Commit one event as the API does. Return its position."""
    done = await committer.change([stream], lambda _: [api_event(stream)])
    return str(done.positions[0])
