"""Which of two sources is the healthier: a judge that is told what happens to them. Pure.

Sticky: both give the same events under the same ids, so that a change has to be worth it.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.indexer.reasons import SwitchReason

_PATIENCE = 2
"""Failures in a row of the one that is read before the other is tried."""
_LONG_WAIT = 5.0
"""Seconds: a source that asks for a longer wait (Retry-After) is left after its first failure."""
_STALLED = 6
"""Ledgers that the other has more, while nothing comes from the one that is read …"""
_STALL_LOOKS = 3
"""… in as many looks: a large answer, and the proof of all in it, take a while."""


@dataclass(slots=True)
class _Health:
    failures: int = 0
    unable: bool = False


class FailoverPolicy:
    """Of two sources by name; the first is read until there is a reason against it."""

    def __init__(self, first: str, second: str) -> None:
        self.active = first
        self.other = second
        self._health = {first: _Health(), second: _Health()}
        self._cursor = -1  # when the other was last looked at
        self._still = 0  # in how many looks it was the same

    def works(self, name: str) -> None:
        """It answered, and has what is wanted."""
        self._health[name] = _Health()

    def failed(self, name: str, *, wait: float = 0.0) -> None:
        """It failed in a way that may pass. `wait`: seconds of its Retry-After."""
        self._health[name].failures += _PATIENCE if wait > _LONG_WAIT else 1

    def cannot(self, name: str) -> None:
        """It does not have what is wanted, or refuses for good, as far as is known."""
        self._health[name].unable = True

    def verdict(self) -> SwitchReason | None:
        """Why the other should be read rather than this one, if it should."""
        ours, theirs = self._health[self.active], self._health[self.other]
        if theirs.unable:
            return None
        if ours.unable:
            return SwitchReason.UNABLE
        if ours.failures >= _PATIENCE and theirs.failures < ours.failures:
            return SwitchReason.FAILING
        return None

    def looked(self, read: int, cursor: int, latest: int) -> SwitchReason | None:
        """The other works and has `latest`, the active one was read up to ledger `read`.

        `cursor` shows whether that moved since the last looks. A backfill is behind, but moves.
        """
        self.works(self.other)
        self._still = self._still + 1 if cursor == self._cursor else 0
        self._cursor = cursor
        return (
            SwitchReason.STALLED
            if self._still >= _STALL_LOOKS and latest - read >= _STALLED
            else None
        )

    def switch(self) -> None:
        """Read the other one."""
        self.active, self.other = self.other, self.active
        self._cursor, self._still = -1, 0
