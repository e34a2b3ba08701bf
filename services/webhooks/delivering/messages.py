"""The bodies of deliveries, and their ids. Pure.

The body of an event is that of the journal, byte for byte. So it is the same as in an SSE frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import orjson

from shared.domain.position import Position
from shared.journal.wire import HISTORY_URL, JournalEntry

LOST = "Redis lost an event that you received in a failover"


class Content(NamedTuple):
    """The content of one delivery. `id` is the header `webhook-id`."""

    id: str
    body: bytes
    events: int = 0


def events_content(entries: Sequence[JournalEntry], *, batch: bool) -> Content:
    """One event as it is, or a batch: `{"events": […]}`. The id is the last position."""
    last = entries[-1]
    if not batch:
        return Content(last.position, last.body, 1)
    joined = b",".join([entry.body for entry in entries])
    return Content(last.position, b'{"events":[%b]}' % joined, len(entries))


def gap_content(after: Position, to: Position) -> Content:
    """Says that the events after `after` and up to `to` are in no history any more."""
    data = {"type": "gap", "from": str(after), "to": str(to), "historyUrl": HISTORY_URL}
    return Content(f"gap-{after}-{to}", orjson.dumps(data))


def reset_content(position: Position, lost: Position) -> Content:
    """Says that the receiver must load its state again: it has an event that was lost.

    The next events are those after `position`.
    """
    data = {"type": "reset", "position": str(position), "reason": LOST}
    return Content(f"reset-{lost}", orjson.dumps(data))


def sample_content(webhook_id: str, job: str, timestamp: int) -> Content:
    """The delivery that an owner asked for to test an endpoint."""
    data = {"type": "webhook.test", "webhookId": webhook_id, "timestamp": timestamp}
    return Content(job, orjson.dumps(data))
