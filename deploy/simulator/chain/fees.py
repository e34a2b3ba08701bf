"""Fee events in the way that stellar-rpc lists them. They belong to a whole transaction. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from stellar_sdk import xdr

from deploy.simulator.chain.ledger import Ledger, Transaction
from deploy.simulator.chain.values import Emitted, emitted
from shared.domain.position import LAST_OPERATION, LAST_TRANSACTION, Position, toid


def fees(ledger: Ledger) -> Iterator[tuple[Transaction, Position, Emitted]]:
    """The fee events of a ledger, in the order of their ids.

    All fees of a ledger are charged before its first operation, and refunds are paid after its last
    operation. So the ids of fee events contain operation numbers that no operation has. Charges and
    refunds are counted separately.
    """
    counts: Counter[int] = Counter()
    found = []
    for transaction in ledger.transactions:
        for text in transaction.fee_events:
            stage, event = _parsed(text)
            at = toid(ledger.sequence, *_PLACES.get(stage, (transaction.order, LAST_OPERATION)))
            found.append((transaction, Position(at, counts[at]), event))
            counts[at] += 1
    yield from sorted(found, key=lambda each: each[1])


_STAGES = xdr.TransactionEventStage
_PLACES = {
    _STAGES.TRANSACTION_EVENT_STAGE_BEFORE_ALL_TXS: (0, 0),
    _STAGES.TRANSACTION_EVENT_STAGE_AFTER_ALL_TXS: (LAST_TRANSACTION, 0),
}


@lru_cache(maxsize=8192)
def _parsed(text: str) -> tuple[xdr.TransactionEventStage, Emitted]:
    event = xdr.TransactionEvent.from_xdr(text)
    return event.stage, emitted(event.event)
