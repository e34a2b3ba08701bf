"""Connections end when their token expires, at their maximum age, or by a revocation."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest

from services.fanout.connections import expiry as expiry_module
from services.fanout.connections.expiry import NOTICE_SECONDS, ConnectionExpiry
from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.reasons import EndReason
from shared.auth.principal import MAX_ISSUED_AHEAD, Principal
from shared.auth.revocations import Revocation, RevocationBatch
from tests.fanout.peers import MakePeer, Peer

EVERY = 15.0
MakeHarness: TypeAlias = Callable[..., "ExpiryHarness"]


class Clock:
    """Replaces the module `time`. The test moves both clocks."""

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
    monkeypatch.setattr(expiry_module, "time", clock)
    return clock


class ExpiryHarness:
    """Runs ConnectionExpiry with a test clock. `received` has (time, event) pairs of each peer."""

    def __init__(
        self, registry: SubscriberRegistry, clock: Clock, make_peer: MakePeer, max_age: float = 0.0
    ) -> None:
        self.clock, self.registry, self.make_peer = clock, registry, make_peer
        self.expiry = ConnectionExpiry(
            registry, max_age=max_age, retry_ms=2000, every=EVERY, clock=clock.time
        )
        self.next_check_at = clock.now + EVERY * random.random()
        registry._on_disconnect = lambda subscriber, *_: self.expiry.forget(subscriber)
        self.received: dict[Peer, list[tuple[float, str]]] = {}

    def connect(self, lifetime: float | None, account: str = "GA") -> Peer:
        expires = None if lifetime is None else self.clock.time() + lifetime
        peer = self.make_peer("7", principal=Principal(account, frozenset(), expires=expires))
        self.expiry.start(peer.subscriber)
        self.received[peer] = []
        return peer

    def run(self, seconds: float, step: float = 0.1) -> None:
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.clock.now += step
            if self.clock.now >= self.next_check_at:  # as the heartbeat does
                self.next_check_at = self.clock.now + EVERY
                self.expiry.schedule_due(self.registry.slice(0, 1))
            self.expiry.tick()
            for peer, events in self.received.items():
                for event in peer.read():
                    reason = event.json.get("reason", event.name)
                    events.append((self.clock.now, reason))
                    assert event.own_id is None, "a notice or goodbye does not move the cursor"

    def reasons(self, peer: Peer) -> list[str]:
        return [reason for _, reason in self.received[peer]]

    @property
    def scheduled_count(self) -> int:
        return sum(map(len, self.expiry._buckets.values()))


@pytest.fixture
def make_harness(registry: SubscriberRegistry, clock: Clock, make_peer: MakePeer) -> MakeHarness:
    return lambda **more: ExpiryHarness(registry, clock, make_peer, **more)


@pytest.mark.parametrize("lifetime", [3.0, 59.9, 60.1, 61.7, 300.5])
async def test_a_token_expiry_is_announced_once_and_ends_the_connection_on_time(
    make_harness: MakeHarness, lifetime: float
) -> None:
    harness = make_harness()
    began = harness.clock.now
    peer, forever = harness.connect(lifetime), harness.connect(None)
    harness.run(lifetime + 3)
    (announced, first), (ended, last) = harness.received[peer]
    assert (first, last) == ("token_expiring", "token_expired")
    notice = began + max(0.0, lifetime - NOTICE_SECONDS)
    assert notice - 0.01 <= announced <= notice + 1.2
    assert began + lifetime <= ended <= began + lifetime + 1.2
    assert peer.ended
    assert peer.subscriber.fd == -1
    assert harness.received[forever] == []
    assert not harness.expiry._buckets


async def test_token_expiring_has_the_time_of_expiry(make_harness: MakeHarness) -> None:
    harness = make_harness()
    peer = harness.connect(30.0)
    until_ = peer.subscriber.principal.expires
    harness.received.clear()
    harness.run(2)
    (event,) = peer.read()
    assert (event.name, event.json) == ("token_expiring", {"at": until_})


async def test_a_clock_that_is_set_back_causes_no_second_notice(make_harness: MakeHarness) -> None:
    harness = make_harness()
    began = harness.clock.now
    peer = harness.connect(70.0)
    harness.run(20)
    harness.clock.set_back = 30.0
    harness.run(90)
    (_, first), (ended, last) = harness.received[peer]
    assert (first, last) == ("token_expiring", "token_expired")
    assert began + 100 <= ended <= began + 101.2


async def test_connections_end_at_80_to_100_percent_of_their_age(make_harness: MakeHarness) -> None:
    random.seed(7)
    harness = make_harness(max_age=100.0)
    began = harness.clock.now
    members = [harness.connect(None) for _ in range(100)]
    harness.run(79.5)
    assert not any(harness.received.values())
    harness.run(22.5)
    ends = []
    for peer in members:
        ((ended, reason),) = harness.received[peer]
        assert reason == "max_age"
        ends.append(ended - began)
    assert min(ends) < 83
    assert 98 < max(ends) <= 101.2
    assert len({int(end) for end in ends}) > 15, "spread"
    assert not harness.expiry._buckets


async def test_the_earlier_of_token_expiry_and_maximum_age_ends_a_connection(
    make_harness: MakeHarness,
) -> None:
    harness = make_harness(max_age=100.0)
    short, long = harness.connect(50.0), harness.connect(10_000.0)
    harness.run(110)
    assert harness.reasons(short) == ["token_expiring", "token_expired"]
    assert harness.reasons(long) == ["max_age"]


async def test_a_closed_connection_leaves_no_entry_in_the_buckets(
    make_harness: MakeHarness,
) -> None:
    harness = make_harness(max_age=3600.0)
    for n in range(300):
        peer = harness.connect(1e6 + n * 10, account=f"G{n}")
        harness.run(0.1)
        harness.registry.disconnect(peer.subscriber, EndReason.GONE)
        peer.sock.close()
        harness.received.clear()
    assert (harness.expiry._buckets, harness.scheduled_count) == ({}, 0)


async def test_a_connection_that_ends_much_later_is_in_no_bucket(make_harness: MakeHarness) -> None:
    harness = make_harness(max_age=3600.0)
    peer = harness.connect(1e6)
    harness.run(60)
    assert harness.scheduled_count == 0
    soon = harness.connect(NOTICE_SECONDS + 5)
    assert harness.scheduled_count == 1
    harness.registry.disconnect(soon.subscriber, EndReason.GONE)
    assert (harness.expiry._buckets, peer.subscriber.fd >= 0) == ({}, True)


async def test_without_a_maximum_age_a_closed_connection_leaves_no_entry(
    make_harness: MakeHarness,
) -> None:
    harness = make_harness()
    for n in range(300):
        peer = harness.connect(1e6 + n * 10)
        harness.registry.disconnect(peer.subscriber, EndReason.GONE)
        peer.sock.close()
    assert harness.expiry._buckets == {}


async def test_a_revocation_ends_its_connections_also_those_just_opened(
    make_harness: MakeHarness,
) -> None:
    harness = make_harness()
    log: list[Revocation] = []

    async def read_since(cursor: str) -> RevocationBatch:
        return RevocationBatch(str(len(log)), log[int(cursor.removesuffix("-0")) :], 0.0)

    revocations: Any = SimpleNamespace(read_since=read_since)

    def connect(**more: Any) -> Peer:
        peer = harness.make_peer("7", principal=Principal(scopes=frozenset(), **more))
        harness.expiry.start(peer.subscriber)
        harness.received[peer] = []
        return peer

    one = connect(account="GA", token_id="j1", issued=5.0)
    other = connect(account="GA", token_id="j2", issued=6.0)
    nameless = connect(account="", token_id="")
    early = connect(account="GB", token_id="j0")
    # revoked after its handshake and before the first read of the log
    log.append(Revocation(token_id="j0"))
    await harness.expiry.end_revoked(revocations)
    harness.run(0.1)
    assert harness.reasons(early) == ["revoked"]
    log.append(Revocation(token_id="j1"))
    await harness.expiry.end_revoked(revocations)
    # its handshake checked revocations before j1 was revoked
    late = connect(account="GA", token_id="j1", issued=5.0)
    harness.run(1)
    await harness.expiry.end_revoked(revocations)
    harness.run(0.1)
    for peer in (one, late):
        assert harness.reasons(peer) == ["revoked"]
    log.append(Revocation(account="GA", before=5.5 - MAX_ISSUED_AHEAD))
    await harness.expiry.end_revoked(revocations)
    harness.run(0.1)
    assert harness.received[other] == [], "its token was issued after the revocation"
    log.append(Revocation(account="GA", before=6.0 - MAX_ISSUED_AHEAD))
    await harness.expiry.end_revoked(revocations)
    harness.run(12)
    assert harness.reasons(other) == ["revoked"]
    again = connect(account="GA", token_id="j1", issued=5.0)
    await harness.expiry.end_revoked(revocations)
    assert not harness.expiry._revoked, "old revocations are dropped"
    harness.run(0.1)
    assert harness.received[again] == harness.received[nameless] == []
