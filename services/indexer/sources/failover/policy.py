"""Which of two sources is the healthier: a judge that is told what happens to them. Pure.

Sticky: both give the same events under the same ids, so that a change has to be worth it.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.indexer.reasons import SwitchReason

_MAX_FAILURES = 2
"""Failures in a row of the one that is read before the other is tried."""
_LONG_WAIT = 5.0
"""Seconds: a source that asks for a longer wait (Retry-After) is left after its first failure."""
_STALL_LEDGERS = 6
"""Ledgers that the other has more, while nothing comes from the one that is read …"""
_STALL_LOOKS = 3
"""… in as many looks: a large answer, and the proof of all in it, take a while."""


@dataclass(slots=True)
class _Health:
    failures: int = 0
    mark_unable: bool = False


class FailoverPolicy:
    """Of two sources by name; the first is read until there is a reason against it."""

    def __init__(self, first: str, second: str) -> None:
        self.active = first
        self.other = second
        self._health = {first: _Health(), second: _Health()}
        self._cursor = -1  # when the other was last looked at
        self._unchanged = 0  # in how many looks it was the same

    def succeeded(self, name: str) -> None:
        """It answered, and has what is wanted."""
        self._health[name] = _Health()

    def failed(self, name: str, *, wait: float = 0.0) -> None:
        """It failed in a way that may pass. `wait`: seconds of its Retry-After."""
        self._health[name].failures += _MAX_FAILURES if wait > _LONG_WAIT else 1

    def mark_unable(self, name: str) -> None:
        """It does not have what is wanted, or refuses for good, as far as is known."""
        self._health[name].mark_unable = True

    def reason_to_switch(self) -> SwitchReason | None:
        """Why the other should be read rather than this one, if it should."""
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
        """The other works and has `latest`, the active one was read up to ledger `read`.

        `cursor` shows whether that moved since the last looks. A backfill is behind, but moves.
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
        """Read the other one."""
        self.active, self.other = self.other, self.active
        self._cursor, self._unchanged = -1, 0
