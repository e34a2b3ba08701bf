"""Clients that disconnect and resume at random receive exactly their part of the journal."""

from __future__ import annotations

import asyncio
import random

import pytest
from redis.asyncio import Redis

from services.fanout.connections import registry
from services.fanout.connections.poller import LoopPoller
from shared.domain.events import Event
from shared.domain.position import parse_position
from shared.journal.keys import Keys
from tests.fanout.journals import after, for_topics, journal
from tests.fanout.replicas import ALICE, BOB, CAROL, Chain, Replica, StartReplica
from tests.support.sse_client import SseClient
from tests.support.waiting import until


class RoamingClient:
    """A client that connects, reads for a while, disconnects, and resumes at any replica."""

    def __init__(self, rng: random.Random, replicas: list[Replica]) -> None:
        self.topics = rng.choice(
            [("*",), ("1",), ("2", "3"), (f"user:{CAROL}",), ("1", f"user:{CAROL}", "5")]
        )
        self.start = rng.choice(["0-0", ""])
        self.got: list[str] = []
        self.cursor = self.start
        self.connections = 0
        self._rng = rng
        self._replicas = replicas

    @property
    def _query(self) -> str:
        parts = [
            "all=true"
            if t == "*"
            else t.replace("user:", "users=")
            if "user" in t
            else f"streams={t}"
            for t in self.topics
        ]
        return "&".join(parts)

    async def roam(self, over: asyncio.Event) -> None:
        while not over.is_set():
            await self._once(self._rng.choice([0, 1, 3, 20, 200]), over)

    async def finish(self, top: str) -> None:
        """Connect once more and read up to the last event."""
        await self._once(None, asyncio.Event(), top)

    async def _once(self, events: int | None, over: asyncio.Event, top: str = "") -> None:
        replica = self._rng.choice(self._replicas)
        client = await replica.subscribe(self._query, since=self.cursor)
        self.connections += 1
        if not self.start:
            self.start = client.events[0].own_id or ""
        try:
            await until(
                lambda: (
                    over.is_set()
                    if events is not None and len(client.positions) < events
                    else events is not None or reached(client, top)
                ),
                seconds=150,
            )
        finally:
            self._rng.choice([client.close, client.reset])()
        assert client.parser.faults == []
        assert [e.name for e in client.events if e.name in ("gap", "reset", "overload")] == []
        self.got += client.positions
        self.cursor = client.last_id


def reached(client: SseClient, top: str) -> bool:
    return parse_position(client.last_id) >= parse_position(top)


def some_event(rng: random.Random, chain: Chain) -> Event:
    match rng.randrange(10):
        case 0:
            return chain.broadcast()
        case 1 | 2:
            return chain.fee(rng.randrange(1, 7))
        case _:
            sender, recipient = rng.sample([ALICE, BOB, CAROL], 2)
            return chain.event(
                rng.randrange(1, 7), sender, recipient, padding=rng.choice([0, 0, 2000])
            )


@pytest.mark.parametrize(
    ("where", "recent", "seed"),
    [
        ("in process", 50_000, 1),
        ("in process", 20, 2),
        ("in process", 300, 3),
        ("as process", 300, 4),
        ("without epoll", 300, 5),
    ],
)
async def test_random_disconnects_lose_no_event_and_repeat_none(  # noqa: PLR0917 - fixtures
    redis: Redis,
    keys: Keys,
    start: StartReplica,
    launch: StartReplica,
    chain: Chain,
    where: str,
    recent: int,
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if where == "without epoll":
        monkeypatch.setattr(
            registry, "make_poller", lambda ready: LoopPoller(asyncio.get_running_loop(), ready)
        )
    rng = random.Random(seed)
    how = launch if where == "as process" else start
    settings = {"ring_events": recent, "sync_seconds": 0.2, "backlog_bytes": 20_000}
    replicas = [await how(**settings), await how(**settings)]
    await chain.commit_many(150)
    roaming = [RoamingClient(random.Random(seed * 100 + n), replicas) for n in range(12)]
    over = asyncio.Event()
    tasks = [asyncio.create_task(w.roam(over)) for w in roaming]
    try:
        for _ in range(450):
            await chain.commit(*(some_event(rng, chain) for _ in range(rng.choice([1, 1, 2, 5]))))
    finally:
        over.set()
        await asyncio.gather(*tasks)
    (top,) = await chain.commit(chain.broadcast())
    await asyncio.gather(*(w.finish(top) for w in roaming))
    everything = await journal(redis, keys)
    for client in roaming:
        assert client.got == for_topics(after(everything, client.start), client.topics)
    assert sum(w.connections for w in roaming) > 60
