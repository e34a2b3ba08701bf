"""Find where the indexer starts to read. If Redis lost everything, announce that by an event.

If Redis has no progress, there are three cases: the namespace is new, Redis lost only the progress,
or Redis lost everything. Each process remembers the last position and cursor that it saw. From
these, the indexer learns which case it is, and how far the source was read.

See docs/decisions/0049-loss-of-redis-is-an-event.md,
docs/decisions/0051-progress-and-documents-are-rebuilt.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog
from redis.asyncio import Redis

from services.indexer.sources.base import Source
from services.indexer.sources.ledger_range import cursor_before
from shared.domain.events import Event, EventType
from shared.domain.position import START, Position, journal_start
from shared.journal.commit import Committer
from shared.journal.keys import CHANNEL, Keys
from shared.journal.losses import DataLossDetector, LossReport, read_reports
from shared.journal.progress import progress_fields
from shared.journal.reader import Journal, JournalTip
from shared.journal.topic_index import BROADCASTS, TopicIndex
from shared.journal.wire import HISTORY_URL
from shared.redis.clock import Clock
from shared.runtime.metrics import LOST_PROGRESS
from shared.web.probes import Readiness

log = structlog.get_logger()

_REPORT_WAIT = 2.0
"""Seconds. In this time, a running fanout notices that Redis is empty and reports what it saw."""
_REPORT_EVERY = 1.0
"""Seconds between two reads of the reports."""
_BROADCASTS = 50
"""The last reset event is looked for among this many of the newest broadcasts, which are rare."""
_AHEAD = 1_000_000
"""Microseconds. The reset event's position is this far in the future, above new API events."""
_UNSETTLED = "unsettled"
"""With this in place of Redis' id, the commit refuses the API's events until recovery is done."""
_REASON = "Redis lost everything"

ClaimNamespace = Callable[[], Awaitable[None]]
"""Called before the first commit of a namespace, after the source's network was checked."""


class IngestStartup:
    """Finds the cursor for one Ingest. All Ingests of a process share one `loss_detector`.

    `clock` returns the time of Redis in Unix seconds.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        committer: Committer,
        readiness: Readiness,
        loss_detector: DataLossDetector,
        *,
        clock: Clock = time.time,
        claim: ClaimNamespace | None = None,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._journal = Journal(redis, keys)
        self._committer = committer
        self._readiness = readiness
        self._loss_detector = loss_detector
        self._clock = clock
        self._claim = claim
        self._last_reset_position = START  # position of the last journal.reset event
        self._highest_lost = START  # highest position that was lost after that event

    async def cursor(self, source: Source, start: str) -> int:
        """Return the TOID after which to read; creates the journal if there is none.

        Raises SourceError, FatalSourceError.
        """
        tip = await self._journal.tip()
        self._last_reset_position = tip.last_reset
        if self._loss_detector.check(tip):
            self._readiness.note("lost", self._loss_detector.message)
        if tip.cursor is not None:
            self._loss_detector.update(tip.top, tip.cursor)
            self._note_losses([])
            log.info("resuming", cursor=tip.cursor, ledger=tip.cursor >> 32)
            return tip.cursor
        if tip.top.toid and not tip.empty:
            return await self._recover(tip)
        return await self._begin(source, start)

    async def _recover(self, tip: JournalTip) -> int:
        """If only the progress is lost, read the ledger of the journal's last entry again.

        The commit skips events that are in the journal already.
        """
        cursor = cursor_before(tip.top.ledger)
        self._last_reset_position = await self._last_reset()
        progress = progress_fields(
            cursor=cursor,
            began=self._loss_detector.began,
            last_reset=self._last_reset_position if self._last_reset_position > START else None,
        )
        self._note_losses([])  # forget losses that were already announced
        await self._committer.record([], progress=progress)
        LOST_PROGRESS.inc()
        text = f"Redis lost the progress: reading continues at the journal's last entry, {tip.top}"
        self._readiness.note("progress", text)
        log.error("progress_lost", top=str(tip.top), cursor=cursor, ledger=cursor >> 32)
        return cursor

    async def _last_reset(self) -> Position:
        """Find the last journal.reset event, so that the same loss is not announced twice."""
        topics = TopicIndex(self._redis, self._keys)
        places, *_ = await topics.positions([BROADCASTS], _BROADCASTS, newest_first=True)
        for position, entry in zip(places, await self._journal.at(places), strict=True):
            if entry and entry.type == EventType.JOURNAL_RESET:
                return position
        return START

    async def _begin(self, source: Source, start: str) -> int:
        """Create a journal that begins at the lowest cursor: that of `start` or of a report."""
        cursor = await source.start(start)
        if self._claim:
            await self._claim()
        reports = await self._reports(wait=start == "latest")
        cursor = min([cursor, *(each.cursor for each in reports if each.cursor is not None)])
        began = await self._start_position(cursor)
        progress = progress_fields(
            cursor=cursor, began=began, server=_UNSETTLED if reports else None
        )
        if reports:
            log.error("starting_again", cursor=cursor, ledger=cursor >> 32)
        await self._committer.record(await self._unread_gap(began), progress=progress)
        if missed := await self._unread_gap(began):  # the API wrote between the two calls
            await self._committer.record(missed, progress={})
        log.info("starting", start=start, cursor=cursor, ledger=cursor >> 32)
        self._loss_detector.begin(began, cursor)
        self._note_losses(reports)
        return cursor

    async def _unread_gap(self, began: Position) -> list[Event]:
        """The gap event between the API's first events and the first ledger that is read.

        The event's position is where reading begins, so a client that resumes from an earlier
        position receives the event. Empty if no event is below.
        """
        tip = await self._journal.tip()
        if tip.empty or tip.top >= began:
            return []
        facts = {"from": str(tip.top), "to": str(began), "historyUrl": HISTORY_URL}
        return [Event(EventType.CHAIN_GAP, None, int(self._clock()), facts, began)]

    async def _reports(self, *, wait: bool) -> list[LossReport]:
        """Return what processes saw of a journal that is lost; empty if no journal was lost.

        `wait`: if this process noticed a loss, or a fanout is running, first give other processes
        time to report.
        """
        if wait and (self._loss_detector.lost or await self._fanout_listens()):
            await asyncio.sleep(_REPORT_WAIT)
        own_report = (
            [LossReport(self._loss_detector.cursor, self._loss_detector.top)]
            if self._loss_detector.lost
            else []
        )
        return own_report + await read_reports(self._redis, self._keys)

    async def _fanout_listens(self) -> bool:
        [(_, count)] = await self._redis.pubsub_numsub(CHANNEL)
        return bool(count)

    async def _start_position(self, cursor: int) -> Position:
        seconds, micros = await self._redis.time()
        return journal_start(cursor, seconds * 1_000_000 + micros)

    # ── announcing a loss ──

    async def watch_reports(self) -> None:
        """Read reports of losses from other processes, until cancelled."""
        while True:
            self._note_losses(await read_reports(self._redis, self._keys))
            await asyncio.sleep(_REPORT_EVERY)

    def _note_losses(self, reports: Sequence[LossReport]) -> None:
        tops = [each.top for each in reports]
        if self._loss_detector.lost:
            tops.append(self._loss_detector.top)
        highest = max((top for top in tops if top >= self._last_reset_position), default=START)
        if highest > self._highest_lost:
            self._readiness.note("lost", f"Redis was emptied: it had events up to {highest}")
        self._highest_lost = highest

    async def reset_event(self, cursor: int) -> Event | None:
        """Create the journal.reset event if a loss of everything must be announced, else None.

        Call it when the chain is read again. The event's position must be above all lost positions,
        so that a client that resumes from a lost position receives the event. Until the position is
        above them, the method returns None.
        """
        if self._highest_lost == START:
            return None
        position = await self._start_position(cursor)
        position = Position(position.toid, position.n + _AHEAD)
        if position <= self._highest_lost:
            return None
        facts = {"position": str(position), "reason": _REASON}
        return Event(EventType.JOURNAL_RESET, None, int(self._clock()), facts, position)

    def committed(self, positions: Sequence[Position], cursor: int) -> None:
        """Note that these positions, and everything up to the cursor, are committed."""
        top = max(positions, default=START)
        if self._highest_lost > START and top.by_clock:  # the reset event was committed
            log.error("loss_announced", position=str(top), lost=str(self._highest_lost))
            self._last_reset_position, self._highest_lost = top, START
            self._loss_detector.lost = False
        self._loss_detector.update(top, cursor)
