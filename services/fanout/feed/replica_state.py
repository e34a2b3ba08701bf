"""Compares a replica of Redis with the primary: whether it is only behind, or has lost track.

Pure. A replica has a beginning of the primary's history as long as both have the same replication
id. The primary gets a new id when it is promoted or restarted, and each replica takes this id over
when it follows the primary again. The id does not change when data is deleted, so the starts of the
two journals are compared too.

See docs/decisions/0102-fanouts-read-from-replicas.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.domain.position import Position
from shared.journal.reader import JournalTip

Info = Mapping[str, Any]
"""The answer of INFO replication. Managed services omit some fields."""

_MOST = 600
"""Ends that are remembered. They bound the memory, and the lag is known by the oldest one."""


def difference(own: JournalTip, own_info: Info, primary: JournalTip, info: Info) -> str | None:
    """Why the replica's journal is no beginning of the primary's. None if it is one.

    The replica must have been read before the primary.
    """
    ids = own_info.get("master_replid"), info.get("master_replid")
    if None not in ids and ids[0] != ids[1]:
        return "does not follow the current primary yet"
    if own.began != primary.began or own.first not in (None, primary.first):
        return "does not have the current journal of the primary yet"
    if own.top > primary.top:
        return "still has events that the primary has lost"
    return None


def is_cut_off(own_info: Info) -> bool:
    """True if the server is a replica that has no connection to its primary."""
    return bool(own_info.get("master_link_status", "up") != "up")


@dataclass(slots=True)
class ReplicationLag:
    """For how long the replica has lacked what the primary had.

    Positions and cursors are compared, so a lag is noticed on a quiet chain too.
    """

    _missing: deque[tuple[Position, int, float]] = field(default_factory=deque)
    """Ends of the primary's journal (position, cursor, time) that the replica lacked so far."""

    def update(self, own: JournalTip, primary: JournalTip, now: float) -> None:
        """Compare both tips. `now` is in seconds of any clock."""
        missing = self._missing
        if missing and primary.top < missing[-1][0]:  # Redis lost what the replica lacked
            missing.clear()
        while missing and _has(own, *missing[0][:2]):
            missing.popleft()
        end = primary.top, primary.cursor or 0
        if not _has(own, *end) and len(missing) < _MOST:
            missing.append((*end, now))

    def seconds(self, now: float) -> float:
        """Seconds since the primary had something that the replica lacks. 0 without a lag."""
        return now - self._missing[0][2] if self._missing else 0.0


def _has(own: JournalTip, top: Position, cursor: int) -> bool:
    return own.top >= top and (own.cursor or 0) >= cursor
