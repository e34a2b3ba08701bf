"""An endpoint and events for tests without Redis, and what a test does with a window.

Tests change what they need of the endpoint with `replace`.
"""

from __future__ import annotations

from services.webhooks.delivering.window import DeliveryWindow, Taken
from shared.domain.position import Position, parse_position
from shared.domain.topics import Subscription
from shared.journal.wire import JournalEntry
from shared.webhooks.endpoint import Endpoint

ENDPOINT = Endpoint(
    id="wh_1",
    account="G1",
    url="https://shop.example/hook",
    subscription=Subscription(("1",)),
    secrets=(),
    created=0,
    begins_after=None,
)


def entry(number: int, topic: str = "1", body: bytes = b"{}") -> JournalEntry:
    """The event at the position `number`-0."""
    topics = (topic,) if topic else ()
    return JournalEntry(f"{number}-0", f"{number - 1}-0", "stream.created", topics, body)


def at(number: int) -> Position:
    """The position of `entry(number)`."""
    return Position(number, 0)


def took(window: DeliveryWindow, most: int = 1, now: float = 0.0) -> Taken:
    """The next delivery. There must be one."""
    taken = window.take(most, now)
    assert taken is not None
    return taken


def numbers(taken: Taken) -> list[int]:
    """The numbers of the events of a delivery."""
    return [parse_position(each.position).toid for each in taken.entries]
