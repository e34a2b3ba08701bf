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
from shared.journal.reader import JournalPage
from shared.journal.wire import JournalEntry
from tests.webhooks.delivering.samples import ENDPOINT as SAMPLE

ENDPOINT = replace(SAMPLE, subscription=Subscription((ALL,)), sees_all=True)
ENTRIES = [JournalEntry(f"{n}-0", f"{n - 1}-0", "stream.created", (), b"{}") for n in range(2, 5)]


class History:
    """The journal ends at 4-0."""

    async def after(self, position: Position, limit: int) -> JournalPage:
        return JournalPage(ENTRIES, False, Position(4, 0))


async def test_what_was_not_read_yet_is_offered_later() -> None:
    top = Position(3, 0)
    tools = SimpleNamespace(
        top=lambda: top, history=History(), reads=asyncio.Semaphore(1), clock=lambda: 0.0
    )
    catchup = Catchup(ENDPOINT, cast(DeliveryTools, cast(Any, tools)), behind=True)
    window = DeliveryWindow(Position(1, 0), ())
    assert await catchup.read(window)
    assert (len(window), window.end, catchup.behind) == (2, top, False)
    window.add(ENTRIES[-1])
    assert len(window) == 3
