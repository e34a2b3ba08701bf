"""A chain of any length for benchmarks, made of a few thousand transactions.

The transactions come from the simulated network. Each is prepared once as JSON, with marks in place
of its number. When an answer needs it, the marks are replaced. So a million events need little
memory, and the server needs little CPU while an indexer is measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson

from deploy.simulator.chain import accounts
from deploy.simulator.chain.ledger import Transaction
from deploy.simulator.horizon import documents as horizon
from deploy.simulator.network import start
from deploy.simulator.rpc.event_query import padded
from deploy.simulator.settings import SimulatorSettings
from shared.domain.instant import utc_text
from shared.domain.position import LAST_TRANSACTION, toid

FIRST = 4_000_000
PASSPHRASE = SimulatorSettings().network_passphrase
CLOSED = 1_770_000_000
PER_LEDGER = 40

_MARK = toid(2_000_000_011, 654_321)
"""The place of a prepared transaction. No other number in its JSON is equal to its parts."""
_MARKED_LEDGER, _MARKED_ORDER = _MARK >> 32, _MARK >> 12 & LAST_TRANSACTION
_MARKED_HASH = "ab" * 32


class PreparedLedger:
    """A chain of `count` transactions, as both servers answer them."""

    def __init__(self, count: int) -> None:
        made = transactions()
        self.count = count
        self.latest = FIRST + (count - 1) // PER_LEDGER
        self._frames = [
            b"id: %d\ndata: %s\n\n" % (_MARK, _dump(horizon.record(each, ""))) for each in made
        ]
        self._details = [_dump(_shown(each)) for each in made]
        self._events = [
            [_dump(_event(each, p, e)) for p, e in each.events() if _is_ours(e)] for each in made
        ]

    def frame(self, n: int) -> bytes:
        """The SSE event of Horizon's stream with transaction `n`."""
        text = self._frames[n % len(self._frames)]
        return _placed(text, n).replace(b"%d" % _MARK, b"%d" % toid_of(n))

    def details(self, n: int) -> bytes:
        """Transaction `n` as getTransaction and getTransactions return it."""
        return _placed(self._details[n % len(self._details)], n)

    def events(self, n: int) -> list[bytes]:
        """The contract's events in transaction `n`, as getEvents returns them."""
        place, order = b"%019d" % toid_of(n), b"%d" % (n % PER_LEDGER + 1)
        texts = self._events[n % len(self._events)]
        moved = (text.replace(b"%d" % _MARK, place) for text in texts)
        return [_placed(each.replace(b"%d" % _MARKED_ORDER, order), n) for each in moved]

    def events_from(self, n: int) -> Iterator[bytes]:
        """All events from transaction `n` on."""
        for each in range(n, self.count):
            yield from self.events(each)

    def number_of_events(self) -> int:
        """The number of events in the whole chain."""
        sizes = [len(each) for each in self._events]
        rounds, rest = divmod(self.count, len(sizes))
        return rounds * sum(sizes) + sum(sizes[:rest])


def toid_of(n: int) -> int:
    """The TOID of transaction `n`, counted from 0."""
    return toid(FIRST + n // PER_LEDGER, n % PER_LEDGER + 1)


def number_after(cursor: int) -> int:
    """The first transaction above the TOID `cursor`."""
    ledger, order = cursor >> 32, cursor >> 12 & LAST_TRANSACTION
    return max(0, (ledger - FIRST) * PER_LEDGER + min(order, PER_LEDGER))


def hash_of(n: int) -> str:
    """The hash of transaction `n`: the number itself, so that it can be found again."""
    return f"{n:064x}"


def transactions() -> list[Transaction]:
    """Different transactions of the contract, all at the marked place."""
    network = start(SimulatorSettings(close_seconds=0, streams=60), CLOSED)
    while len(network.events) < 2_500:
        network.close(network.chain.latest.closed_at + 5)
    made = [t for t in network.chain.after(0) if any(_is_ours(e) for _, e in t.events())]
    return [_marked(each) for each in made]


def _marked(made: Transaction) -> Transaction:
    signed = replace(made.signed, hash=_MARKED_HASH)
    return replace(made, ledger=_MARKED_LEDGER, order=_MARKED_ORDER, signed=signed)


def _placed(text: bytes, n: int) -> bytes:
    """Replace the marks of the hash and the ledger."""
    ledger = b"%d" % (FIRST + n // PER_LEDGER)
    moved = text.replace(_MARKED_HASH.encode(), hash_of(n).encode())
    return moved.replace(b'"ledger":%d' % _MARKED_LEDGER, b'"ledger":%s' % ledger)


def _is_ours(event: Any) -> bool:
    return bool(event.contract_id == accounts.STREAMS)


def _shown(t: Transaction) -> dict[str, object]:
    texts = {"envelopeXdr": t.signed.envelope, "resultXdr": t.result, "resultMetaXdr": t.meta}
    return {"status": "SUCCESS", "txHash": t.hash, **texts, "ledger": t.ledger}


def _event(t: Transaction, position: Any, event: Any) -> dict[str, object]:
    return {
        "type": event.type,
        "ledger": t.ledger,
        "ledgerClosedAt": utc_text(t.closed_at),
        "contractId": event.contract_id,
        "id": padded(position),
        "transactionIndex": t.order,
        "operationIndex": position.toid & 0xFFF,
        "topic": list(event.topics),
        "value": event.value,
        "txHash": t.hash,
    }


def _dump(value: object) -> bytes:
    return orjson.dumps(value)
