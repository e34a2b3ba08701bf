"""How many ledgers one request may ask for, of getEvents and of Horizon's list. Pure.

A server aborts a call that takes too long; the same call would take too long again. So the span is
halved until a call succeeds, and doubled after ten successes in a row.

See docs/decisions/0045-fewer-ledgers-after-a-timeout.md.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_LEDGERS = 10_000
"""Ledgers that stellar-rpc searches in one call; a span of as many limits nothing."""
_GROW_AFTER = 10
"""Successes in a row before the span is doubled; a span that is too wide costs a time-out."""


@dataclass(slots=True)
class LedgerSpan:
    """The current span in `ledgers`: from 1 to its maximum, which it has at first."""

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
        """A call for `requested` (1 or more) ledgers failed. Returns False if it was for one."""
        covered = min(requested, self.ledgers)
        self.ledgers = max(1, covered // 2)
        self._successes = 0
        return covered > 1

    def succeeded(self) -> None:
        """A call succeeded."""
        self._successes += 1
        if self._successes >= _GROW_AFTER:
            self.ledgers = min(self.maximum, self.ledgers * 2)
            self._successes = 0
