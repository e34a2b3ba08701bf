"""Views of the chain: what one server has of it, when it forgets more than others or lags."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from deploy.local.network.ledger import Chain, Ledger, Transaction


@dataclass(frozen=True, slots=True)
class View:
    """The chain from ledger `first` on, without its newest `hidden` ledgers; never empty."""

    chain: Chain
    first: int
    hidden: int

    @property
    def latest(self) -> Ledger:
        """The tip, as this server knows it."""
        chain = self.chain
        return self._at(max(chain.oldest.sequence, chain.latest.sequence - self.hidden))

    @property
    def oldest(self) -> Ledger:
        """The first ledger that this server has."""
        return self._at(min(max(self.first, self.chain.oldest.sequence), self.latest.sequence))

    def _at(self, sequence: int) -> Ledger:
        ledger = self.chain.ledger(sequence)
        assert ledger
        return ledger

    def ledger(self, sequence: int) -> Ledger | None:
        """As Chain's."""
        return self.chain.ledger(sequence) if self._has(sequence) else None

    def transaction(self, digest: str) -> Transaction | None:
        """As Chain's."""
        found = self.chain.transaction(digest)
        return found if found and self._has(found.ledger) else None

    def ledgers(self, start: int, end: int) -> Iterator[Ledger]:
        """As Chain's."""
        oldest, latest = self.oldest.sequence, self.latest.sequence
        return self.chain.ledgers(max(start, oldest), min(end, latest + 1))

    def after(self, cursor: int) -> Iterator[Transaction]:
        """As Chain's."""
        for ledger in self.ledgers(cursor >> 32, self.latest.sequence + 1):
            yield from (each for each in ledger.transactions if each.toid > cursor)

    def before(self, cursor: int) -> Iterator[Transaction]:
        """As Chain's."""
        return (each for each in self.chain.before(cursor) if self._has(each.ledger))

    def _has(self, sequence: int) -> bool:
        return self.oldest.sequence <= sequence <= self.latest.sequence


class Views:
    """What is wrong with the views of `horizon` and `rpc`."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}
        self._hidden: dict[str, int] = {}

    def of(self, server: str, chain: Chain) -> View:
        """What that server has."""
        return View(chain, self._first.get(server, 0), self._hidden.get(server, 0))

    def trim(self, server: str, chain: Chain, keep: int) -> None:
        """Let one server forget all but the newest `keep` ledgers."""
        self._first[server] = chain.latest.sequence - max(1, keep) + 1

    def lag(self, server: str, ledgers: int) -> None:
        """Let one server be behind by that many."""
        self._hidden[server] = ledgers

    def clear(self) -> None:
        """No server lags; what was forgotten stays so."""
        self._hidden.clear()

    def forget(self) -> None:
        """A new chain: all have all of it."""
        self._first.clear()
        self._hidden.clear()
