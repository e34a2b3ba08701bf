"""The chain: consecutive ledgers, of which the newest are kept, and reads from a cursor on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from deploy.simulator.chain.entries import EntryChange
from deploy.simulator.chain.envelopes import BASE_FEE, SignedTransaction
from deploy.simulator.chain.header import ledger_header
from deploy.simulator.chain.values import Emitted
from shared.domain.position import LAST_OPERATION, LAST_TRANSACTION, Position, toid

LAST_OF_LEDGER = toid(0, LAST_TRANSACTION, LAST_OPERATION)
"""A ledger's TOID plus this number is a cursor after everything in the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A transaction in its ledger. `order` counts from 1; `result` and `meta` are base64 XDR.

    `operations` holds the events of each operation, and `entries` what was written to the storage.
    `meta` is None if the server leaves it out. Fees are in stroops; `inclusion_fee` is the part of
    `fee_charged` that was taken for the place in the ledger.
    """

    ledger: int
    order: int
    closed_at: int
    signed: SignedTransaction
    successful: bool
    fee_charged: int
    inclusion_fee: int = BASE_FEE
    result: str
    meta: str | None
    fee_events: tuple[str, ...] = ()
    operations: tuple[tuple[Emitted, ...], ...] = ()
    entries: tuple[EntryChange, ...] = ()

    @property
    def hash(self) -> str:
        """The hash in hex. For a fee bump, this is the hash of the outer envelope."""
        return self.signed.hash

    @property
    def toid(self) -> int:
        """The TOID (SEP-35), which Horizon calls the paging token."""
        return toid(self.ledger, self.order)

    def events(self) -> Iterator[tuple[Position, Emitted]]:
        """The events in order, each with its position."""
        for operation, events in enumerate(self.operations):
            at = toid(self.ledger, self.order, operation)
            yield from ((Position(at, n), event) for n, event in enumerate(events))


@dataclass(frozen=True, slots=True)
class Ledger:
    """A closed ledger. `closed_at` is in Unix seconds, hashes are in hex, `header` is in XDR."""

    sequence: int
    closed_at: int
    previous: str
    transactions: tuple[Transaction, ...]
    header: bytes
    hash: str

    @property
    def toid(self) -> int:
        """The TOID (SEP-35), which Horizon calls the paging token."""
        return toid(self.sequence)

    @property
    def protocol(self) -> int:
        """The protocol version, from the first field of the header."""
        return int.from_bytes(self.header[:4], "big")


def close_ledger(
    sequence: int,
    closed_at: int,
    previous: str,
    transactions: Sequence[Transaction],
    protocol: int,
) -> Ledger:
    """The ledger after the one with the hash `previous`. Its own hash covers what it contains."""
    hashes = [each.hash for each in transactions]
    header = ledger_header(sequence, closed_at, previous, hashes, protocol)
    digest = sha256(header).hexdigest()
    return Ledger(sequence, closed_at, previous, tuple(transactions), header, digest)


class Chain:
    """Consecutive ledgers from `oldest` to `latest`. At most `history` ledgers are kept."""

    def __init__(self, first: Ledger, history: int) -> None:
        self._ledgers = [first]
        self._history = max(1, history)
        self._by_hash: dict[str, Transaction] = {}
        self._index(first)

    @property
    def oldest(self) -> Ledger:
        """The first ledger that is kept."""
        return self._ledgers[0]

    @property
    def latest(self) -> Ledger:
        """The last ledger."""
        return self._ledgers[-1]

    def append(self, ledger: Ledger) -> None:
        """Append a ledger. If there are too many ledgers, drop the oldest.

        Raises ValueError if the ledger does not follow the last one.
        """
        if (ledger.sequence, ledger.previous) != (self.latest.sequence + 1, self.latest.hash):
            raise ValueError(f"ledger {ledger.sequence} does not follow {self.latest.sequence}")
        self._ledgers.append(ledger)
        self._index(ledger)
        self.trim(self._history)

    def trim(self, keep: int) -> None:
        """Drop all but the newest `keep` ledgers. At least the last ledger stays."""
        gone = self._ledgers[: -max(1, keep)]
        del self._ledgers[: len(gone)]
        for ledger in gone:
            for transaction in ledger.transactions:
                self._by_hash.pop(transaction.hash, None)
                self._by_hash.pop(transaction.signed.inner_hash or "", None)

    def ledger(self, sequence: int) -> Ledger | None:
        """The ledger with this number; None if it is not kept."""
        if not self.oldest.sequence <= sequence <= self.latest.sequence:
            return None
        return self._ledgers[sequence - self.oldest.sequence]

    def transaction(self, digest: str) -> Transaction | None:
        """The transaction with this hash. A fee bump is found by its outer and its inner hash."""
        return self._by_hash.get(digest)

    def ledgers(self, start: int, end: int) -> Iterator[Ledger]:
        """The kept ledgers from `start` to `end` - 1."""
        base = self.oldest.sequence
        yield from self._ledgers[max(0, start - base) : max(0, end - base)]

    def after(self, cursor: int) -> Iterator[Transaction]:
        """Transactions whose TOID is above `cursor`, oldest first.

        If the cursor is older than the history, the result starts at the oldest ledger, without an
        error. Horizon does the same.
        """
        for ledger in self.ledgers(cursor >> 32, self.latest.sequence + 1):
            yield from (each for each in ledger.transactions if each.toid > cursor)

    def before(self, cursor: int) -> Iterator[Transaction]:
        """Transactions whose TOID is below `cursor`, newest first."""
        for ledger in reversed(list(self.ledgers(0, (cursor >> 32) + 1))):
            yield from (each for each in reversed(ledger.transactions) if each.toid < cursor)

    def _index(self, ledger: Ledger) -> None:
        for transaction in ledger.transactions:
            self._by_hash[transaction.hash] = transaction
            if transaction.signed.inner_hash is not None:
                self._by_hash[transaction.signed.inner_hash] = transaction
