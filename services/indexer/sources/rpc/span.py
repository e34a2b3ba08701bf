"""Limit how many ledgers one request covers. Pure.

The request is a call of getEvents or a request for Horizon's list of ledgers. A server ends a
request that takes too long, and the same request would take too long again. So the span is halved
until a request succeeds, and doubled after ten successes in a row.

See docs/decisions/0045-fewer-ledgers-after-a-timeout.md.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_LEDGERS = 10_000
"""stellar-rpc searches at most this many ledgers in one call, so this span is no limit."""
_GROW_AFTER = 10
"""Successes in a row before the span is doubled. A span that is too large costs a time-out."""


@dataclass(slots=True)
class LedgerSpan:
    """The current span: a request may ask for `ledgers` ledgers, at first for `maximum`."""

    maximum: int = MAX_LEDGERS
    ledgers: int = 0
    _successes: int = 0

    def __post_init__(self) -> None:
        self.ledgers = self.ledgers or self.maximum

    @property
    def is_limited(self) -> bool:
        """True if calls must name their last ledger."""
        return self.ledgers < self.maximum

    def failed(self, requested: int) -> bool:
        """Halve the span after a failed call. Returns False if the call was for one ledger.

        `requested`: the number of ledgers that the call could cover, at least 1.
        """
        covered = min(requested, self.ledgers)
        self.ledgers = max(1, covered // 2)
        self._successes = 0
        return covered > 1

    def succeeded(self) -> None:
        """Count a success; after ten in a row the span is doubled."""
        self._successes += 1
        if self._successes >= _GROW_AFTER:
            self.ledgers = min(self.maximum, self.ledgers * 2)
            self._successes = 0
