"""Random steps compare the broadcaster with a simple model of what each subscriber must receive."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from services.fanout.connections import broadcaster as broadcaster_module
from services.fanout.connections import registry as registry_module
from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.frame import Encoding
from services.fanout.reasons import EndReason
from services.fanout.sse import sync
from shared.domain.position import Position
from tests.fanout.peers import NO_POLLER, FakeSubscriber, RecordingBroadcaster, item
from tests.fanout.turns import turn
from tests.support.tier import examples

TOPIC = st.sampled_from(["1", "2", "3"])
TOPICS = st.lists(st.one_of(TOPIC, st.just("*")), min_size=1, max_size=3)
STEP = st.one_of(
    st.tuples(st.just("publish"), st.lists(TOPIC, max_size=3, unique=True)),
    st.tuples(st.just("publish"), st.lists(TOPIC, max_size=3, unique=True)),
    st.tuples(st.just("read"), st.lists(st.lists(TOPIC, max_size=3, unique=True), max_size=4)),
    st.tuples(st.just("join"), st.tuples(TOPICS, st.sampled_from(Encoding))),
    st.tuples(st.just("leave"), st.integers(0, 30)),
    st.tuples(st.just("turns"), st.integers(1, 3)),
    st.tuples(st.just("sync"), st.none()),
)


async def check_against_model(steps: list[tuple[str, Any]]) -> None:
    """Run the steps. A subscriber must get every matching event published after it joined."""
    registry = SubscriberRegistry(
        backlog_bytes=400, total_backlog_bytes=1 << 20, write_seconds=20.0
    )
    broadcaster = RecordingBroadcaster(registry)
    members: list[FakeSubscriber] = []
    expected: dict[FakeSubscriber, list[str | None]] = {}
    topics_of: dict[FakeSubscriber, list[str]] = {}
    published = 0
    for step, value in steps:
        if step in ("publish", "read"):
            add = broadcaster.publish if step == "publish" else broadcaster.queue
            for topics in [value] if step == "publish" else value:
                published += 1
                add(item(*topics, n=published))
                for one in members:
                    if not topics or "*" in topics_of[one] or set(topics) & set(topics_of[one]):
                        expected[one].append(f"{published}-0")
            if step == "read":
                broadcaster.flush()
        elif step == "join":
            topics, encoding = value
            fake = FakeSubscriber(len(expected), encoding)
            expected[fake], topics_of[fake] = [], topics
            registry.register(fake)
            registry.go_live(fake, topics)
            members.append(fake)
        elif step == "leave" and members:
            fake = members.pop(value % len(members))
            registry.disconnect(fake, EndReason.GONE)
            assert fake.ids == expected[fake][: len(fake.ids)], "received in order"
            expected[fake] = fake.ids
        elif step == "sync":
            broadcaster.send_to(list(members), sync(Position(published, 0), None, None, None))
        elif step == "turns":
            for _ in range(value):
                await turn()
    await broadcaster.idle()
    for fake, wanted in expected.items():
        assert fake.ids == wanted
        for n, event in enumerate(fake.got):
            if event.name == "sync":
                before = [e.own_id for e in fake.got[:n] if e.name != "sync"]
                position = int((event.own_id or "").removesuffix("-0"))
                assert before == [
                    i for i in wanted if int((i or "").removesuffix("-0")) <= position
                ]
    assert len(broadcaster.sent) == published
    registry.hub.check()


@given(steps=st.lists(STEP, max_size=60))
@settings(max_examples=examples(150), deadline=None)
def test_each_subscriber_gets_later_events_in_order_and_once(
    steps: list[tuple[str, Any]],
) -> None:
    with (
        patch.object(registry_module, "make_poller", lambda _: NO_POLLER),
        patch.multiple(broadcaster_module, _PORTION=2, _CHECKS_PER_WRITE=1),
    ):
        asyncio.run(check_against_model(steps))
