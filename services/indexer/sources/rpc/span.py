"""How many ledgers one request may ask for: of getEvents, and of Horizon's list. Pure.

A server ends a call that takes too long, and the same call would take as long again. So the span is
halved until the call succeeds, and grows again after successes.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_LEDGERS = 10_000
"""Ledgers that stellar-rpc searches in one call; a span of as many is no limit."""
_GROW_AFTER = 10
"""Successes in a row before the span grows; one that is too wide again costs a time-out."""


@dataclass(slots=True)
class LedgerSpan:
    """`ledgers` is between 1 and `max_wait`, and `max_wait` at first."""

    maximum: int = MAX_LEDGERS
    ledgers: int = 0
    _successes: int = 0

    def __post_init__(self) -> None:
        self.ledgers = self.ledgers or self.maximum

    @property
    def is_limited(self) -> bool:
        """Whether calls must name their last ledger."""
        return self.ledgers < self.maximum

    def failed(self, requested: int) -> bool:
        """A call for `requested` ledgers (1 or more) failed. False if it was for one ledger."""
        covered = min(requested, self.ledgers)
        self.ledgers = max(1, covered // 2)
        self._successes = 0
        return covered > 1

    def succeeded(self) -> None:
        """A call was answered: after ten in a row the span is doubled."""
        self._successes += 1
        if self._successes >= _GROW_AFTER:
            self.ledgers = min(self.maximum, self.ledgers * 2)
            self._successes = 0
