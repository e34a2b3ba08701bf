"""The broadcaster keeps the order, joins events of one turn, and leaves turns to other tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from services.fanout.connections import broadcaster as broadcaster_module
from services.fanout.connections.expiry import ConnectionExpiry
from services.fanout.connections.heartbeat import Heartbeat
from services.fanout.connections.subscriber import Subscriber
from shared.domain.position import START, Position
from shared.redis.clock import RedisClock
from shared.web.problems import Goodbye
from tests.fanout.peers import FakeSubscriber, FakeSubscribers, RecordingBroadcaster, item
from tests.fanout.turns import turn
from tests.support.waiting import until


async def test_events_published_in_one_turn_are_sent_in_one_write(
    make_fakes: FakeSubscribers,
) -> None:
    (seven,), (both,), (all_,) = make_fakes(1, "7"), make_fakes(1, "7", "8"), make_fakes(1, "*")
    broadcaster = RecordingBroadcaster(make_fakes.registry)
    broadcaster.publish(item("7", n=1))
    broadcaster.publish(item("8", n=2))
    broadcaster.broadcast(b"event: gap\ndata: {}\nid: 2-5\n\n")
    broadcaster.publish(item("7", n=3))
    assert not any(fake.writes for fake in (seven, both, all_))
    await turn()
    assert [[e.own_id for e in write] for write in seven.writes] == [["1-0", "2-5", "3-0"]]
    assert [[e.own_id for e in write] for write in both.writes] == [["1-0", "2-0", "2-5", "3-0"]]
    assert both.ids == all_.ids
    assert (seven.events, both.events) == (2, 3), "a gap is not counted as an event"
    assert [(position, reached) for position, reached, _ in broadcaster.sent] == [
        ("1-0", 2 + 1),
        ("2-0", 2),
        ("3-0", 3),
    ]
    assert not broadcaster.busy


async def test_events_within_batch_ms_are_sent_in_one_write(make_fakes: FakeSubscribers) -> None:
    (fake,) = make_fakes(1, "7")
    broadcaster = RecordingBroadcaster(make_fakes.registry, batch_seconds=0.05)
    timers: list[tuple[float, Callable[[], None]]] = []
    loop: Any = SimpleNamespace(call_later=lambda *timer: timers.append(timer))
    broadcaster._loop = loop
    for n in range(1, 6):
        broadcaster.publish(item("7", n=n))
        await turn()
    assert not fake.writes
    ((seconds, write_batch),) = timers
    assert seconds == 0.05
    write_batch()
    assert [len(write) for write in fake.writes] == [5]
    broadcaster.publish(item("7", n=6))
    timers[1][1]()
    assert fake.ids == [f"{n}-0" for n in range(1, 7)]


async def test_one_write_is_never_larger_than_a_backlog(make_fakes: FakeSubscribers) -> None:
    (fake,) = make_fakes(1, "7")
    broadcaster = RecordingBroadcaster(make_fakes.registry)
    for n in range(1, 101):
        broadcaster.publish(item("7", n=n, size=50_000))
    turns = 0
    while broadcaster.busy and turns < 1000:
        await turn()
        turns += 1
    assert fake.ids == [f"{n}-0" for n in range(1, 101)]
    assert max(map(len, fake.writes)) == 10
    assert turns >= 10, "the event loop runs between two writes"


async def test_writes_to_a_large_audience_leave_turns_to_other_tasks(
    make_fakes: FakeSubscribers,
) -> None:
    members = make_fakes(5000, "7")
    broadcaster = RecordingBroadcaster(make_fakes.registry)
    broadcaster.publish(item("7", n=1))
    reached = []
    for _ in range(8):
        await turn()
        reached.append(sum(1 for fake in members if fake.writes))
    assert reached[:6] == [1000, 2000, 3000, 4000, 5000, 5000]
    assert broadcaster.sent == [("1-0", 5000, len(item("7").frame.plain))]
    assert all(fake.ids == ["1-0"] for fake in members)


async def test_audiences_of_many_events_are_gathered_in_portions(
    make_fakes: FakeSubscribers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcaster_module, "_PORTION", 50)
    members = make_fakes(500, "7")
    broadcaster = RecordingBroadcaster(make_fakes.registry)
    for n in range(1, 41):
        broadcaster.publish(item("7", n=n))
    gathered = []
    audience = make_fakes.registry.hub.audience

    def counting_audience(topics: Sequence[str]) -> Collection[Subscriber]:
        gathered.append(1)
        return audience(topics)

    monkeypatch.setattr(make_fakes.registry.hub, "audience", counting_audience)
    gathered_after_turn: list[int] = []
    while broadcaster.busy and len(gathered_after_turn) < 100:
        await turn()
        gathered_after_turn.append(len(gathered))
    assert gathered_after_turn[0] <= 3, (
        "one turn gathers audiences for the cost of about 1,000 checks"
    )
    assert gathered_after_turn[-1] == 40
    assert all(fake.ids == [f"{n}-0" for n in range(1, 41)] for fake in members)


async def test_subscribers_that_join_or_end_during_a_broadcast_get_the_right_events(
    make_fakes: FakeSubscribers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcaster_module, "_PORTION", 2)
    early = make_fakes(6, "7")
    broadcaster = RecordingBroadcaster(make_fakes.registry)
    broadcaster.publish(item("7", n=1))
    await turn()
    (late,) = make_fakes(1, "7")  # joins after the replica published 1-0, so it must not get 1-0
    waiting = next(fake for fake in early if not fake.writes)
    make_fakes.registry.disconnect(waiting, Goodbye.REVOKED)
    broadcaster.publish(item("7", n=2))
    await broadcaster.idle()
    assert late.ids == ["2-0"]
    assert waiting.ids == []
    assert all(fake.ids == ["1-0", "2-0"] for fake in early if fake is not waiting)


async def test_a_restored_event_in_a_batch_goes_only_to_later_subscribers(
    make_fakes: FakeSubscribers,
) -> None:
    (before,) = make_fakes(1, "7")
    broadcaster = RecordingBroadcaster(make_fakes.registry)
    broadcaster.publish(item("7", n=1))
    since = FakeSubscriber(1)
    make_fakes.registry.register(since)
    # joins after the failover lost 1-0, so it gets the restored 1-0
    make_fakes.registry.go_live(since, ["7"], epoch=1)
    broadcaster.publish(item("7", n=1), 1)
    broadcaster.publish(item("7", n=2))
    await broadcaster.idle()
    assert before.ids == ["1-0", "2-0"]
    assert since.ids == ["1-0", "2-0"]


async def test_sync_never_has_a_position_above_the_sent_events(
    make_fakes: FakeSubscribers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcaster_module, "_PORTION", 2)
    members = make_fakes(6, "7")
    broadcaster = RecordingBroadcaster(make_fakes.registry)
    feed: Any = SimpleNamespace(position=START, is_complete=True, tip=None)
    expiry = ConnectionExpiry(make_fakes.registry, max_age=0, retry_ms=9)
    heartbeat = Heartbeat(feed, make_fakes.registry, broadcaster, expiry, RedisClock(), seconds=2)
    for n in range(1, 30):  # some event is always being sent while the heartbeat runs
        feed.position = Position(n, 0)
        broadcaster.publish(item("7", n=n))
        heartbeat.turn()
        await turn()
        assert broadcaster.busy
    await broadcaster.idle()
    for fake in members:
        assert sum(event.name == "sync" for event in fake.got) >= 7
        positions = [int((event.own_id or "").removesuffix("-0")) for event in fake.got]
        assert positions == sorted(positions)
        assert fake.ids == [f"{n}-0" for n in range(1, 30)]


async def test_an_exception_in_on_sent_does_not_stop_the_next_batch(
    make_fakes: FakeSubscribers,
) -> None:
    (fake,) = make_fakes(1, "7")
    broadcaster = RecordingBroadcaster(make_fakes.registry)
    seen = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context))

    def raise_error(*_: object) -> None:
        raise ZeroDivisionError

    broadcaster._on_sent = raise_error
    for n in (1, 2):
        broadcaster.publish(item("7", n=n, size=600_000))
    await until(lambda: fake.ids == ["1-0", "2-0"])
    await broadcaster.idle()
    assert len(seen) == 2
