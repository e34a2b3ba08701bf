"""A gap of the chain's history: ledgers that no source has any more, told as an event. Pure."""

from __future__ import annotations

from services.indexer.sources.base import SourceGapError
from services.indexer.sources.ledger_range import cursor_before
from shared.domain.events import Event, EventType
from shared.domain.position import Position, last_of_transaction
from shared.journal.wire import HISTORY_URL


def gap_event(gap: SourceGapError, now: int) -> Event:
    """For everyone, at the last position before the first ledger that is there; `now` in Unix s.

    So whoever resumes from before it is told, in order, that what lies between is not known.
    """
    after, last = Position(last_of_transaction(gap.read), 0), Position(cursor_before(gap.oldest), 0)
    facts = {"from": str(after), "to": str(last), "historyUrl": HISTORY_URL}
    return Event(EventType.CHAIN_GAP, None, now, facts, last)
