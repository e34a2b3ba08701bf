"""The beginning: from where the source is read, and what is told when Redis had lost that.

A Redis without progress is a new namespace, or one that lost its progress, or all it had. What this
process and the others remember tells which, and how far the source was read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog
from redis.asyncio import Redis

from services.indexer.sources import Source
from services.indexer.sources.bounds import before
from shared.clock import Clock
from shared.commit import Committer
from shared.events import Event, EventType
from shared.journal import Head, Journal
from shared.keys import CHANNEL, Keys
from shared.losses import Memory, Report, reports
from shared.metrics import LOST_PROGRESS
from shared.positions import START, Position, beginning
from shared.probes import Readiness
from shared.wire import HISTORY_URL

log = structlog.get_logger()

_WAIT = 2.0
"""Seconds in which a fanout that lives on notices that Redis is empty, and says what it knew."""
_HEAR = 1.0
_AHEAD = 1_000_000
"""Microseconds: no event that the API commits meanwhile stands above the one that is made here."""
_UNSETTLED = "unsettled"
"""No server's name: the API waits until the chain is read again."""
_REASON = "Redis lost all that it held"

Begin = Callable[[], Awaitable[None]]
"""Called before the first commit of a namespace, once the source was found to be of our network."""


class Beginning:
    """Of one ingest. `memory` is the process's own, `clock` tells Unix seconds by Redis."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        committer: Committer,
        readiness: Readiness,
        memory: Memory,
        *,
        clock: Clock = time.time,
        begin: Begin | None = None,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._journal = Journal(redis, keys)
        self._committer = committer
        self._readiness = readiness
        self._memory = memory
        self._clock = clock
        self._begin_namespace = begin
        self._told = START
        self._owed = START  # the highest position that was lost without everyone being told

    async def cursor(self, source: Source, start: str) -> int:
        """Where to read from; a journal that begins here is begun. Raises what the source does."""
        head = await self._journal.head()
        self._told = head.told
        if self._memory.look(head):
            self._note("lost", self._memory.sentence)
        if head.cursor is not None:
            self._memory.saw(head.top, head.cursor)
            self._owe([])
            log.info("resuming", cursor=head.cursor, ledger=head.cursor >> 32)
            return head.cursor
        if head.top.toid and not head.empty:
            return await self._recover(head)
        return await self._begin(source, start)

    async def _recover(self, head: Head) -> int:
        """The progress is lost and the journal is not: its last ledger is read again.

        Events of it that the journal has are passed over by the commit.
        """
        cursor = before(head.top.ledger)
        progress = {"cursor": str(cursor)}
        if self._memory.began:
            progress["began"] = str(self._memory.began)
        await self._committer.record([], progress=progress)
        LOST_PROGRESS.inc()
        text = f"the progress was lost: reading goes on from the journal's top, {head.top}"
        self._note("progress", text)
        log.error("progress_lost", top=str(head.top), cursor=cursor, ledger=cursor >> 32)
        return cursor

    async def _begin(self, source: Source, start: str) -> int:
        """START, or from where it is known that more has to be read."""
        cursor = await source.start(start)
        if self._begin_namespace:
            await self._begin_namespace()
        known = await self._known(wait=start == "latest")
        cursor = min([cursor, *(each.cursor for each in known if each.cursor is not None)])
        began = await self._place(cursor)
        progress = {"cursor": str(cursor), "began": str(began)}
        if known:
            progress = {"server": _UNSETTLED} | progress
            log.error("beginning_again", cursor=cursor, ledger=cursor >> 32)
        head = await self._journal.head()  # the API may have written meanwhile
        events = [] if head.empty else [_unread(head.top, began, int(self._clock()))]
        await self._committer.record(events, progress=progress)
        log.info("starting", start=start, cursor=cursor, ledger=cursor >> 32)
        self._memory.began = began
        self._memory.saw(began, cursor)
        self._owe(known)
        return cursor

    async def _known(self, *, wait: bool) -> list[Report]:
        """What is remembered of a journal that is gone; nothing when this is the first.

        Waits only where something was lost for certain, or a fanout listens that may know more.
        """
        if wait and (self._memory.lost or await self._anyone_listens()):
            await asyncio.sleep(_WAIT)
        own = [Report(self._memory.cursor, self._memory.top)] if self._memory.lost else []
        return own + await reports(self._redis, self._keys)

    async def _anyone_listens(self) -> bool:
        [(_, count)] = await self._redis.pubsub_numsub(CHANNEL)
        return bool(count)

    async def _place(self, cursor: int) -> Position:
        seconds, micros = await self._redis.time()
        return beginning(cursor, seconds * 1_000_000 + micros)

    def _note(self, kind: str, text: str) -> None:
        self._readiness.note(kind, text)

    # ── telling everyone ──

    async def hear(self) -> None:
        """Look for what others noticed, until cancelled."""
        while True:
            self._owe(await reports(self._redis, self._keys))
            await asyncio.sleep(_HEAR)

    def _owe(self, known: Sequence[Report]) -> None:
        tops = [each.top for each in known]
        if self._memory.lost:
            tops.append(self._memory.top)
        owed = max((top for top in tops if top >= self._told), default=START)
        if owed > self._owed:
            self._note("lost", f"Redis was emptied: there were events up to {owed}")
        self._owed = owed

    async def reset_event(self, cursor: int) -> Event | None:
        """What tells everyone that all was lost, when that is to be told and nothing comes back.

        It stands above all positions that were given out before, so whoever resumes gets it too.
        """
        if self._owed == START:
            return None
        place = await self._place(cursor)
        place = Position(place.toid, place.n + _AHEAD)
        if place <= self._owed:
            return None
        facts = {"position": str(place), "reason": _REASON}
        return Event(EventType.JOURNAL_RESET, None, int(self._clock()), facts, place)

    def kept(self, positions: Sequence[Position], cursor: int) -> None:
        """These events and all up to the cursor are in the journal."""
        top = max(positions, default=START)
        if self._owed > START and top.by_clock:  # it was the event above
            log.error("everyone_told", position=str(top), lost=str(self._owed))
            self._told, self._owed = top, START
            self._memory.lost = False
        self._memory.saw(top, cursor)


def _unread(top: Position, began: Position, now: int) -> Event:
    """What the API wrote before the first ledger was read: the chain's events since are not known.

    It stands where the reading begins, so that whoever resumes from below is told.
    """
    facts = {"from": str(top), "to": str(began), "historyUrl": HISTORY_URL}
    return Event(EventType.CHAIN_GAP, None, now, facts, began)
