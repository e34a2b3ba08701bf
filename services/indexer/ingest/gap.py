"""The event for ledgers that no source has any more. Pure.

See docs/decisions/0024-lost-ledgers-are-an-event.md.
"""

from __future__ import annotations

from services.indexer.sources.base import SourceGapError
from services.indexer.sources.ledger_range import cursor_before
from shared.domain.events import Event, EventType
from shared.domain.position import Position, last_of_transaction
from shared.journal.wire import HISTORY_URL


def gap_event(gap: SourceGapError, now: int) -> Event:
    """The chain.gap event for all clients; `now` is in Unix seconds.

    Its position is the last one before the first ledger that a source has. So a client that resumes
    from below receives it in order, before any later event.
    """
    after, last = Position(last_of_transaction(gap.read), 0), Position(cursor_before(gap.oldest), 0)
    facts = {"from": str(after), "to": str(last), "historyUrl": HISTORY_URL}
    return Event(EventType.CHAIN_GAP, None, now, facts, last)
