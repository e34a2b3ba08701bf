"""Catching up reads nothing that the follower has not read: a loss of it would not be noticed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from services.webhooks.delivering.catching_up import Catchup
from services.webhooks.delivering.held import DeliveryTools
from services.webhooks.delivering.window import DeliveryWindow
from shared.domain.position import Position
from shared.domain.topics import ALL, Subscription
from shared.journal.reader import JournalGap, JournalPage, Page
from shared.journal.wire import JournalEntry
from tests.webhooks.delivering.samples import ENDPOINT as SAMPLE

ENDPOINT = replace(SAMPLE, subscription=Subscription((ALL,)), sees_all=True)
ENTRIES = [JournalEntry(f"{n}-0", f"{n - 1}-0", "stream.created", (), b"{}") for n in range(2, 5)]


class History:
    """The journal ends at 4-0, or at 5-0 after a gap."""

    async def after(self, position: Position, limit: int) -> Page:
        if position == Position(4, 0):
            return JournalGap(Position(5, 0))
        return JournalPage(ENTRIES, False, Position(4, 0))


def catching_up(top: Position) -> Catchup:
    tools = SimpleNamespace(
        top=lambda: top, history=History(), reads=asyncio.Semaphore(1), clock=lambda: 0.0
    )
    return Catchup(ENDPOINT, cast(DeliveryTools, cast(Any, tools)), behind=True)


async def test_what_was_not_read_yet_is_offered_later() -> None:
    top = Position(3, 0)
    catchup = catching_up(top)
    window = DeliveryWindow(Position(1, 0), ())
    assert await catchup.read(window)
    assert (len(window), window.end, catchup.behind) == (2, top, False)
    window.add(ENTRIES[-1])
    assert len(window) == 3


async def test_a_batch_of_which_a_gap_has_events_does_not_wait_for_them() -> None:
    catchup = catching_up(Position(5, 0))
    window = DeliveryWindow(Position(1, 0), (), batches=[(Position(4, 0), Position(5, 0))])
    assert await catchup.read(window)
    assert window.take(10) is None
    assert await catchup.read(window)
    assert catchup.gap
    assert window.take(10), "the gap is told only after the events before it"


async def test_a_batch_whose_events_redis_has_lost_does_not_wait_for_them() -> None:
    catchup = catching_up(Position(4, 0))
    window = DeliveryWindow(Position(1, 0), (), batches=[(Position(4, 0), Position(5, 0))])
    assert await catchup.read(window)
    assert not catchup.behind
    assert window.take(10)
