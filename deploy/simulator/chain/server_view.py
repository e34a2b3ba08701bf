"""The ledgers that each server has. A server may have a shorter history or lag behind.

See docs/decisions/0041-trimmed-ledger-is-404-then-410.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from deploy.simulator.chain.ledger import Chain, Ledger, Transaction
from shared.domain.instant import utc_text

Hole = tuple[int, int]
"""The numbers of the first and the last missing ledger."""


@dataclass(frozen=True, slots=True)
class HistoryBounds:
    """The history bounds at Horizon's last check, and the close time of the last ledger then."""

    oldest: int
    latest: int
    closed_at: str


NOT_YET = HistoryBounds(0, 0, "0001-01-01T00:00:00Z")
"""Horizon reports these bounds for about a second after its start, until its first check."""


@dataclass(frozen=True, slots=True)
class ServerView:
    """The chain from ledger `first` on, without its newest `hidden` ledgers. Never empty.

    The ledgers in `holes` are missing too, but the history bounds do not show this.
    """

    chain: Chain
    first: int
    hidden: int
    holes: tuple[Hole, ...] = ()

    @property
    def latest(self) -> Ledger:
        """The last ledger that this server has."""
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
        """See LedgerChain."""
        return self.chain.ledger(sequence) if self._has(sequence) else None

    def transaction(self, digest: str) -> Transaction | None:
        """See LedgerChain."""
        found = self.chain.transaction(digest)
        return found if found and self._has(found.ledger) else None

    def ledgers(self, start: int, end: int) -> Iterator[Ledger]:
        """See LedgerChain."""
        oldest, latest = self.oldest.sequence, self.latest.sequence
        found = self.chain.ledgers(max(start, oldest), min(end, latest + 1))
        return (each for each in found if not self._missing(each.sequence))

    def after(self, cursor: int) -> Iterator[Transaction]:
        """See LedgerChain."""
        for ledger in self.ledgers(cursor >> 32, self.latest.sequence + 1):
            yield from (each for each in ledger.transactions if each.toid > cursor)

    def before(self, cursor: int) -> Iterator[Transaction]:
        """See LedgerChain."""
        return (each for each in self.chain.before(cursor) if self._has(each.ledger))

    def ledgers_after(self, cursor: int) -> Iterator[Ledger]:
        """Ledgers whose TOID is above `cursor`, oldest first."""
        found = self.ledgers(cursor >> 32, self.latest.sequence + 1)
        return (each for each in found if each.toid > cursor)

    def ledgers_before(self, cursor: int) -> Iterator[Ledger]:
        """Ledgers whose TOID is below `cursor`, newest first."""
        found = reversed(list(self.ledgers(0, (cursor >> 32) + 1)))
        return (each for each in found if each.toid < cursor)

    def status(self) -> HistoryBounds:
        """The history bounds at this moment."""
        latest = self.latest
        return HistoryBounds(self.oldest.sequence, latest.sequence, utc_text(latest.closed_at))

    def _has(self, sequence: int) -> bool:
        within = self.oldest.sequence <= sequence <= self.latest.sequence
        return within and not self._missing(sequence)

    def _missing(self, sequence: int) -> bool:
        return any(first <= sequence <= last for first, last in self.holes)


class ServerViews:
    """The views of `horizon` and `rpc`, which can differ from the whole chain.

    Horizon reports the same bounds for `cache_seconds`; a real Horizon checks its bounds once a
    second. `clock` returns seconds.
    """

    def __init__(
        self, cache_seconds: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._first: dict[str, int] = {}
        self._hidden: dict[str, int] = {}
        self._holes: dict[str, tuple[Hole, ...]] = {}
        self._cache_seconds = cache_seconds
        self._clock = clock
        self._status: HistoryBounds | None = None
        self._valid_until = 0.0

    def of(self, server: str, chain: Chain) -> ServerView:
        """The ledgers that this server has."""
        first, hidden = self._first.get(server, 0), self._hidden.get(server, 0)
        return ServerView(chain, first, hidden, self._holes.get(server, ()))

    def status(self, chain: Chain) -> HistoryBounds:
        """The bounds that Horizon reports. They can be older than the chain."""
        if self._status is None or self._clock() >= self._valid_until:
            return self.look(chain, self._cache_seconds)
        return self._status

    def look(self, chain: Chain, seconds: float) -> HistoryBounds:
        """Update Horizon's bounds now. Horizon then reports them for `seconds`."""
        self._status = self.of("horizon", chain).status()
        self._valid_until = self._clock() + seconds
        return self._status

    def trim(self, server: str, chain: Chain, keep: int) -> None:
        """Make one server drop all but the newest `keep` ledgers."""
        self._first[server] = chain.latest.sequence - max(1, keep) + 1

    def lag(self, server: str, ledgers: int) -> None:
        """Make one server lag `ledgers` ledgers behind the chain."""
        self._hidden[server] = ledgers

    def lose(self, server: str, hole: Hole) -> None:
        """Remove the ledgers of a hole from the history of one server."""
        self._holes[server] = (*self._holes.get(server, ()), hole)

    def clear(self) -> None:
        """Remove all lags and holes. Trimmed ledgers stay trimmed."""
        self._hidden.clear()
        self._holes.clear()
        self._status = None

    def forget(self) -> None:
        """Forget everything: all servers have the whole of the new chain."""
        self.clear()
        self._first.clear()
