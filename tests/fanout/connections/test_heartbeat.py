"""The heartbeat, on socket pairs: who gets `sync`, when, and how long a connection is silent."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from services.fanout.connections.expiry import ConnectionExpiry
from services.fanout.connections.heartbeat import Heartbeat, lag_seconds
from services.fanout.connections.registry import SubscriberRegistry
from shared.domain.instant import unix_seconds
from shared.domain.position import START, Position
from shared.journal.reader import JournalTip
from shared.redis.clock import RedisClock
from tests.fanout.peers import MakePeer, Peer, RecordingBroadcaster, item


async def test_each_subscriber_gets_one_heartbeat_in_each_interval(
    registry: SubscriberRegistry, make_peer: MakePeer, broadcaster: RecordingBroadcaster
) -> None:
    members = [make_peer("7") for _ in range(57)]
    replaying = make_peer()
    feed: Any = SimpleNamespace(
        position=Position(9, 1),
        is_complete=True,
        tip=JournalTip(START, 7, unix_seconds("2026-07-21T18:01:10Z")),
    )
    expiry = ConnectionExpiry(registry, max_age=0, retry_ms=2000)
    heartbeat = Heartbeat(feed, registry, broadcaster, expiry, RedisClock(), seconds=5)
    for _ in range(4 * heartbeat._parts):  # after four rounds, each idle connection has its turn
        heartbeat.turn()
    for peer in (*members, replaying):
        assert peer.read()
    for _ in range(3):
        beats: Counter[int] = Counter()
        for _ in range(heartbeat._parts):
            heartbeat.turn()
            received = [n for n, peer in enumerate(members) for _ in peer.read()]
            assert len(received) <= len(members) // heartbeat._parts + 8, (
                "heartbeats are spread over the interval"
            )
            beats.update(received)
        assert beats == Counter(range(len(members)))
    sync_frames_of_replay = replaying.read()
    assert len(sync_frames_of_replay) == 3
    assert {(e.name, e.json["position"], e.own_id) for e in sync_frames_of_replay} == {
        ("sync", None, None)
    }


@pytest.mark.parametrize("seconds", [1, 2, 4, 7, 15])
@pytest.mark.parametrize("every", [1, 2, 3, 5, 6, 11])
async def test_a_subscriber_with_events_gets_few_heartbeats_and_is_never_silent_for_long(
    registry: SubscriberRegistry,
    make_peer: MakePeer,
    broadcaster: RecordingBroadcaster,
    seconds: int,
    every: int,
) -> None:
    """Of 20 peers some get an event every few turns. No peer is silent for longer than a round."""
    feed: Any = SimpleNamespace(position=Position(9, 1), is_complete=True, tip=None)
    expiry = ConnectionExpiry(registry, max_age=0, retry_ms=2000)
    heartbeat = Heartbeat(feed, registry, broadcaster, expiry, RedisClock(), seconds=seconds)
    quiet, busy = [make_peer("7") for _ in range(10)], [make_peer("8") for _ in range(10)]
    last_data = dict.fromkeys((*quiet, *busy), 0)
    beats: Counter[Peer] = Counter()
    rounds, longest = 12, 0
    for number in range(1, rounds * seconds + 1):
        heartbeat.turn()
        if number % every == 0:
            await broadcaster.delivered(item("8", n=number))
        for peer in last_data:
            if events := peer.read():
                longest = max(longest, number - last_data[peer])
                last_data[peer] = number
                beats[peer] += sum(event.name == "sync" for event in events)
    assert longest <= seconds
    assert all(rounds - 1 <= beats[peer] <= rounds + 1 for peer in quiet)
    assert all(rounds // 4 <= beats[peer] <= rounds + 1 for peer in busy)
    if seconds >= 3 * every:
        assert all(beats[peer] <= rounds // 4 + 1 for peer in busy)


def test_lag_is_the_age_of_the_last_ledger() -> None:
    assert lag_seconds(None, 5.0) is None
    assert lag_seconds(60.0, 62.5) == 2.5
    assert lag_seconds(60.0, 50.0) == 0.0  # the clocks of two machines differ a little
