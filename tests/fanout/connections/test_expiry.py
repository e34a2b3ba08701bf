"""Endings: by the token's time, with a notice before, by age, and by revocation."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from services.fanout.connections import expiry as endings_module
from services.fanout.connections.expiry import NOTICE_SECONDS, ConnectionExpiry
from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.reasons import EndReason
from shared.auth.principal import Principal
from shared.auth.revocations import Revocation, RevocationBatch
from tests.fanout.peers import MakePeer, Peer

EVERY = 15.0


class Clock:
    """Both clocks of `time`, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.25
        self.set_back = 0.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_700_000_000 + self.now - self.set_back


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(endings_module, "time", clock)
    return clock


class Scene:
    """Peers whose time runs by the clock; `heard` notes what each is told and when."""

    def __init__(
        self, registry: SubscriberRegistry, clock: Clock, peers: MakePeer, max_age: float = 0.0
    ) -> None:
        self.clock, self.registry, self.peers = clock, registry, peers
        self.expiry = ConnectionExpiry(
            registry, max_age=max_age, retry_ms=2000, every=EVERY, clock=clock.time
        )
        self.glance_at = clock.now + EVERY * random.random()
        registry._on_disconnect = lambda subscriber, *_: self.expiry.forget(subscriber)
        self.heard: dict[Peer, list[tuple[float, str]]] = {}

    def enter(self, lives: float | None, account: str = "GA") -> Peer:
        expires = None if lives is None else self.clock.time() + lives
        peer = self.peers("7", principal=Principal(account, frozenset(), expires=expires))
        self.expiry.start(peer.subscriber)
        self.heard[peer] = []
        return peer

    def run(self, seconds: float, step: float = 0.1) -> None:
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.clock.now += step
            if self.clock.now >= self.glance_at:  # as the beat does, a share at a time
                self.glance_at = self.clock.now + EVERY
                self.expiry.schedule_due(self.registry.slice(0, 1))
            self.expiry.tick()
            for peer, notes in self.heard.items():
                for event in peer.read():
                    word = event.json.get("reason", event.name)
                    notes.append((self.clock.now, word))
                    assert event.own_id is None, "the cursor stays"

    @property
    def kept(self) -> int:
        return sum(map(len, self.expiry._buckets.values()))


@pytest.fixture
def scene(registry: SubscriberRegistry, clock: Clock, peers: MakePeer) -> Callable[..., Scene]:
    return lambda **more: Scene(registry, clock, peers, **more)


@pytest.mark.parametrize("lives", [3.0, 59.9, 60.1, 61.7, 300.5])
async def test_a_token_expiry_is_announced_once_and_ends_the_connection_on_time(
    scene: Callable[..., Scene], lives: float
) -> None:
    at = scene()
    began = at.clock.now
    peer, forever = at.enter(lives), at.enter(None)
    at.run(lives + 3)
    (told, first), (ended, last) = at.heard[peer]
    assert (first, last) == ("token_expiring", "token_expired")
    notice = began + max(0.0, lives - NOTICE_SECONDS)
    assert notice - 0.01 <= told <= notice + 1.2
    assert began + lives <= ended <= began + lives + 1.2
    assert peer.ended
    assert peer.subscriber.fd == -1
    assert at.heard[forever] == []
    assert not at.expiry._buckets


async def test_token_expiring_has_the_time_of_expiry(scene: Callable[..., Scene]) -> None:
    at = scene()
    peer = at.enter(30.0)
    until_ = peer.subscriber.principal.expires
    at.heard.clear()
    at.run(2)
    (event,) = peer.read()
    assert (event.name, event.json) == ("token_expiring", {"at": until_})


async def test_a_clock_that_is_set_back_causes_no_second_notice(
    scene: Callable[..., Scene],
) -> None:
    at = scene()
    began = at.clock.now
    peer = at.enter(70.0)
    at.run(20)
    at.clock.set_back = 30.0
    at.run(90)
    (_, first), (ended, last) = at.heard[peer]
    assert (first, last) == ("token_expiring", "token_expired")
    assert began + 100 <= ended <= began + 101.2


async def test_connections_end_at_80_to_100_percent_of_their_age(
    scene: Callable[..., Scene],
) -> None:
    random.seed(7)
    at = scene(max_age=100.0)
    began = at.clock.now
    members = [at.enter(None) for _ in range(100)]
    at.run(79.5)
    assert not any(at.heard.values())
    at.run(22.5)
    ends = []
    for peer in members:
        ((ended, reason),) = at.heard[peer]
        assert reason == "max_age"
        ends.append(ended - began)
    assert min(ends) < 83
    assert 98 < max(ends) <= 101.2
    assert len({int(end) for end in ends}) > 15, "spread"
    assert not at.expiry._buckets


async def test_the_earlier_of_token_expiry_and_maximum_age_ends_a_connection(
    scene: Callable[..., Scene],
) -> None:
    at = scene(max_age=100.0)
    short, long = at.enter(50.0), at.enter(10_000.0)
    at.run(110)
    assert [word for _, word in at.heard[short]] == ["token_expiring", "token_expired"]
    assert [word for _, word in at.heard[long]] == ["max_age"]


async def test_a_closed_connection_leaves_no_entry_in_the_buckets(
    scene: Callable[..., Scene],
) -> None:
    at = scene(max_age=3600.0)
    for n in range(300):
        peer = at.enter(1e6 + n * 10, account=f"G{n}")
        at.run(0.1)
        at.registry.disconnect(peer.subscriber, EndReason.GONE)
        peer.sock.close()
        at.heard.clear()
    assert (at.expiry._buckets, at.kept) == ({}, 0)


async def test_a_connection_that_ends_much_later_is_in_no_bucket(
    scene: Callable[..., Scene],
) -> None:
    at = scene(max_age=3600.0)
    peer = at.enter(1e6)
    at.run(60)
    assert at.kept == 0
    soon = at.enter(NOTICE_SECONDS + 5)
    assert at.kept == 1
    at.registry.disconnect(soon.subscriber, EndReason.GONE)
    assert (at.expiry._buckets, peer.subscriber.fd >= 0) == ({}, True)


async def test_without_a_maximum_age_a_closed_connection_leaves_no_entry(
    scene: Callable[..., Scene],
) -> None:
    ages_off = scene()
    for n in range(300):
        peer = ages_off.enter(1e6 + n * 10)
        ages_off.registry.disconnect(peer.subscriber, EndReason.GONE)
        peer.sock.close()
    assert ages_off.expiry._buckets == {}


async def test_a_revocation_ends_its_connections_also_those_just_opened(
    scene: Callable[..., Scene],
) -> None:
    at = scene()
    log: list[Revocation] = []

    async def read_since(cursor: str) -> RevocationBatch:
        return RevocationBatch(str(len(log)), log[int(cursor.removesuffix("-0")) :], 0.0)

    sessions: Any = SimpleNamespace(read_since=read_since)

    def enter(**more: Any) -> Peer:
        peer = at.peers("7", principal=Principal(scopes=frozenset(), **more))
        at.expiry.start(peer.subscriber)
        at.heard[peer] = []
        return peer

    one = enter(account="GA", token_id="j1", issued=5.0)
    other = enter(account="GA", token_id="j2", issued=6.0)
    nameless = enter(account="", token_id="")
    early = enter(account="GB", token_id="j0")
    log.append(Revocation(token_id="j0"))  # before the first look, and after its handshake's
    await at.expiry.end_revoked(sessions)
    at.run(0.1)
    assert [word for _, word in at.heard[early]] == ["revoked"]
    log.append(Revocation(token_id="j1"))
    await at.expiry.end_revoked(sessions)
    late = enter(account="GA", token_id="j1", issued=5.0)  # had asked before it was revoked
    at.run(1)
    await at.expiry.end_revoked(sessions)
    at.run(0.1)
    assert [word for _, word in at.heard[one] + at.heard[late]] == ["revoked", "revoked"]
    log.append(Revocation(account="GA", before=5.5))
    await at.expiry.end_revoked(sessions)
    at.run(0.1)
    assert at.heard[other] == [], "its token was issued after"
    log.append(Revocation(account="GA", before=6.0))
    await at.expiry.end_revoked(sessions)
    at.run(12)
    assert [word for _, word in at.heard[other]] == ["revoked"]
    again = enter(account="GA", token_id="j1", issued=5.0)
    await at.expiry.end_revoked(sessions)
    assert not at.expiry._revoked, "not kept for ever"
    at.run(0.1)
    assert at.heard[again] == at.heard[nameless] == []
