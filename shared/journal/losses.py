"""Loss of all data: noticing that Redis was emptied, and reporting it to the indexer.

A Redis that lost everything (FLUSHALL, an empty volume) looks like a new Redis. But every process
remembers the tip of the journal. So each running process notices the loss. It writes a report to a
hash in Redis: the last cursor and position that it knew. The indexer reads the reports before it
starts a new journal. Then it commits one event, `journal.reset`, that announces the loss to all
clients.

A restore from the archive brings the lost journal back. Then there is nothing to announce, except
perhaps its last events: each process treats them like events that a failover lost.

See docs/decisions/0049-loss-of-redis-is-an-event.md,
docs/decisions/0122-restore-brings-the-journal-back.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import structlog
from redis.asyncio import Redis

from shared.domain.position import START, Position, parse_position
from shared.journal.keys import Keys
from shared.journal.reader import Journal, JournalTip
from shared.runtime.metrics import LOST_EVERYTHING

log = structlog.get_logger()

_REPORT_MS = 60_000
"""Milliseconds until a report expires. Until the loss is announced, it is written each second."""


class LossReport(NamedTuple):
    """The last cursor of the source and the highest position that a process knew before a loss."""

    cursor: int | None
    top: Position


@dataclass(slots=True)
class DataLossDetector:
    """What this process knows of the journal. `lost` is True from a loss until it is announced."""

    began: Position | None = None
    top: Position = START
    cursor: int | None = None
    lost: bool = False
    first: str | None = None  # as in JournalTip
    gone: tuple[Position | None, str | None] = (None, None)  # `began` and `first` of what was lost

    def update(self, position: Position, cursor: int | None) -> None:
        """Remember that this process knows all events up to the position and up to the cursor."""
        if not self.lost:
            self.top = max(self.top, position)
            self.cursor = cursor if self.cursor is None else max(self.cursor, cursor or 0)

    def check(self, tip: JournalTip) -> bool:
        """True if this is the first tip that shows that Redis was emptied.

        From then on `lost` is True, until the indexer has announced the loss, or until a restore
        has brought the journal back.
        """
        if self.lost and (tip.last_reset >= self.top or self.is_back(tip)):
            self.adopt(tip)
        emptied = not self.lost and self._is_emptied(tip)
        if emptied:
            self.gone = (self.began, self.first)
            self.lost, self.first = True, None  # the old value belonged to the lost journal
            LOST_EVERYTHING.inc()
            log.error("redis_emptied", knew=str(self.top), cursor=self.cursor)
        self.began = tip.began or self.began
        self.first = tip.first or self.first
        return emptied

    def begin(self, began: Position, cursor: int) -> None:
        """Remember a new, empty journal that this process starts."""
        self.began, self.first = began, None
        self.update(began, cursor)

    def adopt(self, tip: JournalTip) -> None:
        """Forget the loss, which was announced, and remember the journal that exists now."""
        self.lost, self.top, self.cursor, self.began = False, tip.top, tip.cursor, tip.began
        self.first = tip.first

    def is_back(self, tip: JournalTip) -> bool:
        """True if this is the journal that was lost: a restore has written it again."""
        here = (tip.began, tip.first)
        return self.lost and not tip.empty and None not in here and here == self.gone

    def _is_emptied(self, tip: JournalTip) -> bool:
        if self.began is None or tip.began is None:
            return tip.empty and self.top > START
        if self.began != tip.began or (self.first and self.first != (tip.first or self.first)):
            return True
        # True: only the journal was lost. In a failover, the cursor would have gone back too.
        went_back = (tip.cursor or 0) < (self.cursor or 0)
        return tip.empty and tip.top < self.top and not went_back

    @property
    def message(self) -> str:
        """The note that /readyz shows."""
        return f"Redis was emptied; it had events up to position {self.top}"


async def write_report(redis: Redis, keys: Keys, name: str, detector: DataLossDetector) -> None:
    """Write a report of the loss under the name of this process."""
    pipe = redis.pipeline(transaction=False)
    cursor = "" if detector.cursor is None else detector.cursor
    pipe.hset(keys.loss_reports, name, f"{cursor} {detector.top}")
    pipe.pexpire(keys.loss_reports, _REPORT_MS)
    await pipe.execute()


async def read_reports(redis: Redis, keys: Keys) -> list[LossReport]:
    """The reports of all processes that noticed a loss in the last minute."""
    found = []
    values: Any = await redis.hvals(keys.loss_reports)
    for value in values:
        cursor, _, top = value.decode().partition(" ")
        found.append(LossReport(int(cursor) if cursor else None, parse_position(top)))
    return found


async def delete_reports(redis: Redis, keys: Keys) -> bool:
    """Delete the reports, because the journal is back. True if there were any."""
    return bool(await redis.delete(keys.loss_reports))


async def check_journal(
    redis: Redis, keys: Keys, detector: DataLossDetector, *, name: str
) -> JournalTip:
    """Read the tip and remember it. While a loss is not announced, also write the report."""
    tip = await Journal(redis, keys).tip()
    detector.check(tip)
    detector.update(tip.top, tip.cursor)
    if detector.lost:
        await write_report(redis, keys, name, detector)
    return tip
