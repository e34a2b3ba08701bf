"""The subscriber registry with drain, on socket pairs."""

from __future__ import annotations

import asyncio
import socket
from contextlib import nullcontext

import pytest

from services.fanout.connections.drain import drain
from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.connections.subscriber import Subscriber
from services.fanout.reasons import EndReason
from shared.web.problems import Goodbye
from tests.fanout.peers import MakePeer, Peer, RecordingBroadcaster, item
from tests.support.waiting import until


async def test_each_subscriber_gets_its_events_once(
    make_peer: MakePeer, broadcaster: RecordingBroadcaster
) -> None:
    seven, user, both, everything = (
        make_peer("7"),
        make_peer("user:G"),
        make_peer("7", "user:G"),
        make_peer("*"),
    )
    other, typed = make_peer("8"), make_peer("7", types=["stream.paused"])
    assert await broadcaster.delivered(item("7", "user:G")) == 4
    assert [len(p.read()) for p in (seven, user, both, everything, other, typed)] == [
        1,
        1,
        1,
        1,
        0,
        0,
    ]
    assert (
        await broadcaster.delivered(item(kind="contract.initialized")) == 5
    )  # a broadcast, but `typed` filters by type
    assert [len(p.read()) for p in (seven, user, both, everything, other, typed)] == [
        1,
        1,
        1,
        1,
        1,
        0,
    ]


async def test_a_restored_event_goes_only_to_subscribers_that_joined_after_its_loss(
    make_peer: MakePeer, broadcaster: RecordingBroadcaster
) -> None:
    before, since = make_peer("7", epoch=1), make_peer("7", epoch=2)
    assert await broadcaster.delivered(item("7"), epoch=2) == 1
    assert (before.read(), len(since.read())) == ([], 1)


async def test_closed_and_full_subscribers_are_removed_and_the_others_get_the_event(
    registry: SubscriberRegistry, make_peer: MakePeer, broadcaster: RecordingBroadcaster
) -> None:
    members = [make_peer("7") for _ in range(30)]
    gone, stalled, reading = members[::3], members[1::3], members[2::3]
    for peer in gone:
        peer.sock.close()
    published = [item("7", n=n, size=3000) for n in range(1, 9)]
    got: dict[Peer, list[str]] = {peer: [] for peer in reading}
    for one in published:
        await broadcaster.delivered(one)
        registry.hub.check()
        for peer in reading:
            got[peer] += [e.own_id or "" for e in peer.read()]
    assert registry.count == len(registry.hub) == len(reading)
    assert all(peer.subscriber.fd == -1 for peer in (*gone, *stalled))
    assert set(map(tuple, got.values())) == {tuple(one.entry.position for one in published)}


async def test_a_disconnected_subscriber_cannot_go_live(
    registry: SubscriberRegistry, make_peer: MakePeer
) -> None:
    peer = make_peer()
    registry.disconnect(peer.subscriber, EndReason.GONE)
    with pytest.raises(ConnectionError):
        registry.go_live(peer.subscriber, ["7"])
    assert len(registry.hub) == 0


async def test_a_second_disconnect_does_nothing_when_the_descriptor_is_reused(
    registry: SubscriberRegistry, make_peer: MakePeer, broadcaster: RecordingBroadcaster
) -> None:
    first = make_peer("7")
    fd = first.subscriber.fd
    registry.disconnect(first.subscriber, EndReason.GONE)
    second = make_peer("7")
    assert second.subscriber.fd == fd
    registry.disconnect(first.subscriber, EndReason.GONE)
    assert not registry.send(first.subscriber, b"data: 1\n\n")
    registry._on_ready(fd, False)
    assert await broadcaster.delivered(item("7")) == 1
    assert len(second.read()) == 1


async def test_a_backlog_is_sent_in_order_when_the_socket_is_writable(
    registry: SubscriberRegistry, make_peer: MakePeer, broadcaster: RecordingBroadcaster
) -> None:
    peer = make_peer("7")
    sent = [item("7", n=n, size=900) for n in range(1, 12)]
    for one in sent:
        await broadcaster.delivered(one)
    assert peer.subscriber.backlog is not None
    got = []

    def all_there() -> bool:
        got.extend(peer.read())
        return len(got) == len(sent)

    await until(all_there)
    assert [e.own_id for e in got] == [one.entry.position for one in sent]
    assert peer.subscriber.backlog is None
    assert not registry.slow._members


async def test_a_stalled_subscriber_is_closed_and_a_slow_one_is_kept(
    registry: SubscriberRegistry, make_peer: MakePeer, broadcaster: RecordingBroadcaster
) -> None:
    stalled, reading = make_peer("7"), make_peer("7")
    await broadcaster.delivered(item("7", size=9000))
    for peer in (stalled, reading):
        peer.subscriber.progress_at -= 21
    # too little for the kernel to report the socket as writable, yet it is progress
    reading.sock.recv(6000)
    registry.check_slow()
    assert stalled.subscriber.fd == -1
    assert reading.subscriber.fd >= 0


async def test_the_slowest_subscribers_are_closed_when_all_need_too_much_memory(
    registry: SubscriberRegistry, make_peer: MakePeer, broadcaster: RecordingBroadcaster
) -> None:
    """1 MB is enough for 10 slow subscribers. A backlog that has just begun does not count."""
    peers = [make_peer("7") for _ in range(24)]
    await broadcaster.delivered(item("7", size=9000))
    slow, burst = peers[:12], peers[12:]
    for age, peer in enumerate(slow, start=3):
        peer.subscriber.behind_since -= age
    registry.slow.check(burst[0].subscriber.behind_since + 1)  # one second later
    open_peers = [peer for peer in peers if peer.subscriber.fd >= 0]
    assert open_peers == [*slow[:10], *burst]
    assert not any(peer.read() for peer in slow[10:]), "an incomplete frame is no event"


@pytest.mark.io
@pytest.mark.parametrize(("reason", "reset"), [(Goodbye.SLOW, True), (EndReason.GONE, False)])
async def test_the_kernel_drops_what_a_slow_subscriber_did_not_read(
    registry: SubscriberRegistry, reason: Goodbye | EndReason, reset: bool
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as client,
    ):
        accepted, _ = listening.accept()
        accepted.setblocking(False)
        subscriber = Subscriber(accepted)
        registry.register(subscriber)
        registry.disconnect(subscriber, reason)
        with pytest.raises(ConnectionResetError) if reset else nullcontext():
            assert client.recv(1) == b""


async def test_a_drain_sends_each_connection_one_goodbye_spread_over_its_time(
    registry: SubscriberRegistry, make_peer: MakePeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [make_peer("7") for _ in range(40)]
    replaying = make_peer()
    remaining: list[int] = []
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        remaining.append(registry.count)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await drain(registry, seconds=1.0, retry_ms=2000)
    assert registry.count == 0
    assert remaining[:4] == [38, 36, 34, 32]
    assert 0.9 < sum(slept) <= 1.0
    retries = set()
    for peer in (*members, replaying):
        (event,) = peer.read()
        assert (event.name, event.own_id, event.json["reason"]) == ("goodbye", None, "draining")
        assert 1000 <= (event.retry or 0) <= 3000
        retries.add(event.retry)
        assert peer.ended
    assert len(retries) > 20


async def test_a_drain_of_zero_seconds_ends_all_connections_at_once(
    registry: SubscriberRegistry, make_peer: MakePeer
) -> None:
    peer = make_peer("7")
    await asyncio.wait_for(drain(registry, seconds=0, retry_ms=2000), 1)
    assert [e.name for e in peer.read()] == ["goodbye"]
    assert peer.ended
