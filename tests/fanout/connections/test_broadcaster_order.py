"""The outbox against a naive model: whatever happens in whatever order, each gets its own."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from services.fanout.connections import broadcaster as outbox_module
from services.fanout.connections import registry as crowd_module
from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.reasons import EndReason
from services.fanout.sse import sync
from shared.domain.position import Position
from tests.fanout.peers import NO_POLLER, Fake, Post, item
from tests.fanout.turns import turn
from tests.support.tier import examples

TOPIC = st.sampled_from(["1", "2", "3"])
STEP = st.one_of(
    st.tuples(st.just("publish"), st.lists(TOPIC, max_size=3, unique=True)),
    st.tuples(st.just("publish"), st.lists(TOPIC, max_size=3, unique=True)),
    st.tuples(st.just("join"), st.lists(st.one_of(TOPIC, st.just("*")), min_size=1, max_size=3)),
    st.tuples(st.just("leave"), st.integers(0, 30)),
    st.tuples(st.just("turns"), st.integers(1, 3)),
    st.tuples(st.just("sync"), st.none()),
)


async def play(steps: list[tuple[str, Any]]) -> None:
    """Each step against a model: who joined is owed what is published from then on."""
    registry = SubscriberRegistry(backlog_bytes=400, write_seconds=20.0)
    broadcaster = Post(registry)
    members: list[Fake] = []
    owed: dict[Fake, list[str | None]] = {}
    topics_of: dict[Fake, list[str]] = {}
    published = 0
    for step, value in steps:
        if step == "publish":
            published += 1
            broadcaster.publish(item(*value, n=published))
            for one in members:
                if not value or "*" in topics_of[one] or set(value) & set(topics_of[one]):
                    owed[one].append(f"{published}-0")
        elif step == "join":
            fake = Fake(len(owed))
            owed[fake], topics_of[fake] = [], value
            registry.register(fake)
            registry.go_live(fake, value)
            members.append(fake)
        elif step == "leave" and members:
            fake = members.pop(value % len(members))
            registry.disconnect(fake, EndReason.GONE)
            assert fake.ids == owed[fake][: len(fake.ids)], "what it got, it got in order"
            owed[fake] = fake.ids
        elif step == "sync":
            broadcaster.send_to(list(members), sync(Position(published, 0), None, None, None))
        elif step == "turns":
            for _ in range(value):
                await turn()
    await broadcaster.idle()
    for fake, due in owed.items():
        assert fake.ids == due
        for n, event in enumerate(fake.got):
            if event.name == "sync":
                before = [e.own_id for e in fake.got[:n] if e.name != "sync"]
                place = int((event.own_id or "").removesuffix("-0"))
                assert before == [i for i in due if int((i or "").removesuffix("-0")) <= place]
    assert len(broadcaster.told) == published
    registry.hub.check()


@given(steps=st.lists(STEP, max_size=60))
@settings(max_examples=examples(150), deadline=None)
def test_each_subscriber_gets_later_events_in_order_and_once(
    steps: list[tuple[str, Any]],
) -> None:
    with (
        patch.object(crowd_module, "make_poller", lambda _: NO_POLLER),
        patch.multiple(outbox_module, _PORTION=2, _CHECKS_PER_WRITE=1),
    ):
        asyncio.run(play(steps))
