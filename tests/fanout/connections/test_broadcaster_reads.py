"""Events that the feed has read at once are written together, before the next await."""

from __future__ import annotations

import pytest

from services.fanout.connections import broadcaster as broadcaster_module
from tests.fanout.peers import FakeSubscribers, RecordingBroadcaster, item
from tests.fanout.turns import turn
from tests.support.waiting import until


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("audience", [1, broadcaster_module._FEW, broadcaster_module._FEW + 1])
async def test_events_of_one_read_are_sent_at_once_in_one_write(
    make_fakes: FakeSubscribers, count: int, audience: int
) -> None:
    members, others = make_fakes(audience, "7"), make_fakes(3, "8")
    broadcaster = RecordingBroadcaster(make_fakes.registry)
    for n in range(1, count + 1):
        broadcaster.queue(item("7", n=n))
    broadcaster.flush()
    assert all([len(write) for write in fake.writes] == [count] for fake in members)
    assert not any(fake.writes for fake in others)
    assert not broadcaster.busy
    assert [sent[:2] for sent in broadcaster.sent] == [
        (f"{n}-0", audience) for n in range(1, count + 1)
    ]
    assert all(fake.events == count for fake in members)
    broadcaster.flush()
    assert len(broadcaster.sent) == count


async def test_events_of_one_read_follow_what_is_still_being_written(
    make_fakes: FakeSubscribers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcaster_module, "_PORTION", 2)
    members = make_fakes(6, "7")
    broadcaster = RecordingBroadcaster(make_fakes.registry)
    broadcaster.publish(item("7", n=1))
    broadcaster.queue(item("7", n=2))
    broadcaster.flush()
    assert not any(fake.writes for fake in members), "1-0 waits for the next iteration of the loop"
    await turn()
    broadcaster.queue(item("7", n=3))
    broadcaster.flush()
    await broadcaster.idle()
    assert all(fake.ids == ["1-0", "2-0", "3-0"] for fake in members)


async def test_events_of_one_read_wait_for_batch_ms(make_fakes: FakeSubscribers) -> None:
    (fake,) = make_fakes(1, "7")
    broadcaster = RecordingBroadcaster(make_fakes.registry, batch_seconds=0.05)
    for n in (1, 2):
        broadcaster.queue(item("7", n=n))
        broadcaster.flush()
    assert not fake.writes
    await until(lambda: fake.writes)
    assert [len(write) for write in fake.writes] == [2]
