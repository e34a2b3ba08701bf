"""Decide which of two sources to read, from their failures and their progress. Pure.

The policy is sticky: it stays with a source while that source works. Both sources give the same
events with the same ids, so a switch without need would only cost time.

See docs/decisions/0026-failover-between-sources-is-sticky.md,
docs/decisions/0044-unproved-events-switch-the-source.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.indexer.reasons import SwitchReason

_MAX_FAILURES = 2
"""After this many failures of the active source in a row, the other one is tried."""
_LONG_WAIT = 5.0
"""Seconds. If a source asks for a longer wait (Retry-After), one failure is enough to switch."""
_STALL_LEDGERS = 6
"""The active source is stalled if the other one is at least this many ledgers ahead …"""
_STALL_LOOKS = 3
"""… and the cursor stayed the same in this many comparisons in a row.

With fewer comparisons, a large answer that takes long would count as a stall.
"""


@dataclass(slots=True)
class _Health:
    failures: int = 0
    mark_unable: bool = False


class FailoverPolicy:
    """Two sources by name. The first one is active until there is a reason to switch."""

    def __init__(self, first: str, second: str) -> None:
        self.active = first
        self.other = second
        self._health = {first: _Health(), second: _Health()}
        self._cursor = -1  # the cursor at the last comparison
        self._unchanged = 0  # comparisons in a row in which the cursor did not move

    def succeeded(self, name: str) -> None:
        """Note that the source answered and has the next ledgers."""
        self._health[name] = _Health()

    def failed(self, name: str, *, wait: float = 0.0) -> None:
        """Note a temporary failure of the source. `wait`: the seconds in its Retry-After."""
        self._health[name].failures += _MAX_FAILURES if wait > _LONG_WAIT else 1

    def mark_unable(self, name: str) -> None:
        """Note that the source lacks the next ledgers, or refuses permanently."""
        self._health[name].mark_unable = True

    def reason_to_switch(self) -> SwitchReason | None:
        """Return the reason to switch to the other source; None to stay with the active one."""
        active_health, other_health = self._health[self.active], self._health[self.other]
        if other_health.mark_unable:
            return None
        if active_health.mark_unable:
            return SwitchReason.UNABLE
        if (
            active_health.failures >= _MAX_FAILURES
            and other_health.failures < active_health.failures
        ):
            return SwitchReason.FAILING
        return None

    def compare_progress(self, read: int, cursor: int, latest: int) -> SwitchReason | None:
        """Compare the active source with the other one, which works and ends at ledger `latest`.

        The active source was read up to ledger `read` and TOID `cursor`. Returns the reason to
        switch, or None. During a backfill the active source is far behind too, but the cursor
        moves, so the source is not stalled.
        """
        self.succeeded(self.other)
        self._unchanged = self._unchanged + 1 if cursor == self._cursor else 0
        self._cursor = cursor
        return (
            SwitchReason.STALLED
            if self._unchanged >= _STALL_LOOKS and latest - read >= _STALL_LEDGERS
            else None
        )

    def switch(self) -> None:
        """Make the other source the active one."""
        self.active, self.other = self.other, self.active
        self._cursor, self._unchanged = -1, 0
