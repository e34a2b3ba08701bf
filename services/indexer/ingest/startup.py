"""Where the indexer starts to read, and the event that it commits if Redis lost everything.

Without progress in Redis there are three cases: the namespace is new, Redis lost only the progress,
or Redis lost everything. The positions and cursors that this process and the others saw last show
which case it is, and how far the source was read.

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
"""Seconds in which a running fanout notices that Redis is empty, and reports what it has seen."""
_REPORT_EVERY = 1.0
"""Seconds between two reads of the reports."""
_BROADCASTS = 50
"""Newest broadcast events that are searched for the last reset event; there are few of them."""
_AHEAD = 1_000_000
"""Microseconds. The reset event is so far above the present that API events stay below it."""
_UNSETTLED = "unsettled"
"""Not the name of any server, so the commit refuses the API until the chain is read again."""
_REASON = "Redis lost everything"

ClaimNamespace = Callable[[], Awaitable[None]]
"""Called before the first commit of a namespace, when the source's network has been checked."""


class IngestStartup:
    """Finds the cursor for one Ingest. `loss_detector` lives as long as the process.

    `clock` returns Redis' time in Unix seconds.
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
        """The TOID to read from; creates the journal if there is none.

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
        """Only the progress is lost: read the ledger of the journal's last entry again.

        The commit skips events that are in the journal already.
        """
        cursor = cursor_before(tip.top.ledger)
        self._last_reset_position = await self._last_reset()
        progress = progress_fields(
            cursor=cursor,
            began=self._loss_detector.began,
            last_reset=self._last_reset_position if self._last_reset_position > START else None,
        )
        self._note_losses([])  # earlier reports were not compared with the last reset
        await self._committer.record([], progress=progress)
        LOST_PROGRESS.inc()
        text = f"Redis lost the progress: reading continues at the journal's last entry, {tip.top}"
        self._readiness.note("progress", text)
        log.error("progress_lost", top=str(tip.top), cursor=cursor, ledger=cursor >> 32)
        return cursor

    async def _last_reset(self) -> Position:
        """Position of the last journal.reset event, which must not be published a second time."""
        topics = TopicIndex(self._redis, self._keys)
        places = await topics.positions([BROADCASTS], _BROADCASTS, newest_first=True)
        for position, entry in zip(places, await self._journal.at(places), strict=True):
            if entry and entry.type == EventType.JOURNAL_RESET:
                return position
        return START

    async def _begin(self, source: Source, start: str) -> int:
        """Create a journal at START, or at a lower cursor that a report has from before a loss."""
        cursor = await source.start(start)
        if self._claim:
            await self._claim()
        reports = await self._reports(wait=start == "latest")
        cursor = min([cursor, *(each.cursor for each in reports if each.cursor is not None)])
        began = await self._start_position(cursor)
        tip = await self._journal.tip()  # the API may have written in the meantime
        progress = progress_fields(
            cursor=cursor, began=began, server=_UNSETTLED if reports else None
        )
        if reports:
            log.error("starting_again", cursor=cursor, ledger=cursor >> 32)
        events = [] if tip.empty else [_unread_gap(tip.top, began, int(self._clock()))]
        await self._committer.record(events, progress=progress)
        log.info("starting", start=start, cursor=cursor, ledger=cursor >> 32)
        self._loss_detector.begin(began, cursor)
        self._note_losses(reports)
        return cursor

    async def _reports(self, *, wait: bool) -> list[LossReport]:
        """What processes saw of a journal that is lost; empty for the first journal.

        `wait`: wait for reports, but only if this process noticed a loss or a fanout is running.
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
        """The journal.reset event that announces the loss of everything; None if there was no loss.

        Call it when the chain is read again. The event's position is above all lost positions, so
        clients that resume from one of them receive it.
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
        """The events at these positions are committed, and everything up to the cursor."""
        top = max(positions, default=START)
        if self._highest_lost > START and top.by_clock:  # the reset event was committed
            log.error("loss_announced", position=str(top), lost=str(self._highest_lost))
            self._last_reset_position, self._highest_lost = top, START
            self._loss_detector.lost = False
        self._loss_detector.update(top, cursor)


def _unread_gap(top: Position, began: Position, now: int) -> Event:
    """The gap between API events from before the first ledger was read, and that ledger.

    Its position is the start of reading, so clients that resume from below receive it.
    """
    facts = {"from": str(top), "to": str(began), "historyUrl": HISTORY_URL}
    return Event(EventType.CHAIN_GAP, None, now, facts, began)
