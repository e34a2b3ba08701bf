"""Catching up reads nothing that the follower has not read: a loss of it would not be noticed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

from services.webhooks.delivering.catching_up import Catchup
from services.webhooks.delivering.held import DeliveryTools
from services.webhooks.delivering.window import DeliveryWindow
from shared.domain.position import Position, parse_position
from shared.domain.topics import ALL, Subscription
from shared.journal.reader import JournalGap, JournalPage, NoNewEvents, Page
from tests.webhooks.delivering.samples import ENDPOINT as SAMPLE
from tests.webhooks.delivering.samples import at, entry

ENDPOINT = replace(SAMPLE, subscription=Subscription((ALL,)), sees_all=True)
ENTRIES = [entry(number, topic="") for number in range(2, 6)]


class History:
    """A journal with the entries 2-0 to `end`. There may be a gap after it."""

    def __init__(self, end: int, *, gap: bool = False) -> None:
        self._entries = ENTRIES[: end - 1]
        self._gap = gap

    async def after(self, position: Position, limit: int) -> Page:
        page = [each for each in self._entries if parse_position(each.position) > position]
        if page:
            return JournalPage(page, False, parse_position(page[-1].position))
        return JournalGap(at(9)) if self._gap else NoNewEvents()


@dataclass
class CatchingUp:
    """A process that has read the journal up to `top`."""

    history: History
    top: int
    window: DeliveryWindow

    def __post_init__(self) -> None:
        tools = SimpleNamespace(
            top=lambda: at(self.top),
            history=self.history,
            reads=asyncio.Semaphore(1),
            clock=lambda: 0.0,
        )
        self.catchup = Catchup(ENDPOINT, cast(DeliveryTools, cast(Any, tools)), behind=True)

    async def read(self) -> bool:
        return await self.catchup.read(self.window)

    @property
    def taken(self) -> list[str]:
        taken = self.window.take(10)
        return [each.position for each in taken.entries] if taken else []


async def test_what_was_not_read_yet_is_offered_later() -> None:
    window = DeliveryWindow(at(1), ())
    process = CatchingUp(History(4), 3, window)
    assert await process.read()
    assert (len(window), window.end, process.catchup.behind) == (2, at(3), False)
    window.add(ENTRIES[2])
    assert len(window) == 3


async def test_a_batch_of_which_a_gap_has_events_does_not_wait_for_them() -> None:
    window = DeliveryWindow(at(3), (), batches=[(at(4), at(5))])
    process = CatchingUp(History(4, gap=True), 9, window)
    assert await process.read()
    assert process.taken == []
    assert await process.read()
    assert process.catchup.gap
    assert process.taken == ["4-0"], "the gap is told only after the events before it"


async def test_a_batch_whose_events_redis_has_lost_does_not_wait_for_them() -> None:
    window = DeliveryWindow(at(3), (), batches=[(at(4), at(5))])
    process = CatchingUp(History(4), 4, window)
    assert await process.read()
    assert not process.catchup.behind
    assert process.taken == ["4-0"]


async def test_a_batch_waits_until_this_process_has_read_its_events() -> None:
    """The dispatcher that began the batch had read more of the journal."""
    window = DeliveryWindow(at(3), (), batches=[(at(4), at(5))])
    process = CatchingUp(History(5), 3, window)
    assert not await process.read()
    assert process.catchup.behind
    process.top = 4
    assert not await process.read()
    assert process.taken == []
    process.top = 5
    assert await process.read()
    assert process.taken == ["4-0", "5-0"]
