"""The event chain.gap: tells clients that no source has certain ledgers any more. Pure.

See docs/decisions/0024-lost-ledgers-are-an-event.md.
"""

from __future__ import annotations

from services.indexer.sources.base import SourceGapError
from services.indexer.sources.ledger_range import cursor_before
from shared.domain.events import Event, EventType
from shared.domain.position import Position, last_of_transaction
from shared.journal.wire import HISTORY_URL


def gap_event(gap: SourceGapError, now: int) -> Event:
    """Create the chain.gap event for all clients; `now` is in Unix seconds.

    The event's position is the last position before the next ledger that the source has. So a
    client that resumes from an earlier position receives this event before any later event.
    """
    after, last = Position(last_of_transaction(gap.read), 0), Position(cursor_before(gap.oldest), 0)
    facts = {"from": str(after), "to": str(last), "historyUrl": HISTORY_URL}
    return Event(EventType.CHAIN_GAP, None, now, facts, last)
