"""Reads the journal's new events and the log of changes, once for all endpoints of this process.

One blocking read waits for both. Each event names the one before it, so a missing one is noticed.
Once a second the end of the journal is compared with what was read, because a Redis that lost
events does not answer a read that waits above its end.

See docs/decisions/0127-webhooks-are-delivered-from-a-cursor.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import structlog
from redis.asyncio import Redis

from services.webhooks.reading.recent import RECENT_EVENTS, RecentEntries
from shared.domain.position import START, Position, parse_position
from shared.journal.divergence import last_common_position
from shared.journal.keys import Keys
from shared.journal.losses import DataLossDetector, check_journal
from shared.journal.reader import Journal, JournalGap, JournalPage, JournalTip
from shared.journal.wire import JournalEntry, entry_of
from shared.runtime.metrics import LOST_EVENT
from shared.runtime.tasks import ExpectedRestart
from shared.webhooks.changes import Change, ChangeLog, parse_change

log = structlog.get_logger()

_PAGE = 500
_CHECK_SECONDS = 1.0


class RedisEmptiedError(ExpectedRestart):
    """Redis lost everything, also the endpoints. The dispatcher begins anew."""


class Readers(NamedTuple):
    """Who gets what was read. `changed` gets None if changes may have been missed."""

    publish: Callable[[JournalEntry], None]
    rewind: Callable[[Position, Sequence[JournalEntry]], None]
    skip: Callable[[Position], None]
    changed: Callable[[Sequence[Change] | None], Awaitable[None]]


class JournalFollower:
    """`blocking` has a connection of its own, because its reads wait."""

    def __init__(
        self,
        redis: Redis,
        blocking: Redis,
        keys: Keys,
        recent: RecentEntries,
        detector: DataLossDetector,
        *,
        name: str,
    ) -> None:
        """`name` identifies this process in the reports of losses."""
        self.started = asyncio.Event()
        self._redis = redis
        self._blocking = blocking
        self._keys = keys
        self._journal = Journal(redis, keys)
        self._changes = ChangeLog(redis, keys)
        self._recent = recent
        self._detector = detector
        self._name = name
        self._change = "0-0"
        self._server: str | None = None
        self._checked_at = float("-inf")
        self._emptied = False

    @property
    def checked_seconds(self) -> float:
        """How long ago Redis answered a check."""
        return asyncio.get_running_loop().time() - self._checked_at

    async def start(self) -> None:
        """Begin at the end of the journal, with its newest events as recent ones."""
        self._change = await self._changes.end()
        tip = await self._read_tip()
        self._emptied = False  # of a loss before there is nothing left to end
        self._recent.load(await self._journal.latest(RECENT_EVENTS), tip.top)
        self._server = tip.server
        self.started.set()
        log.info("journal_followed", after=str(self._recent.top))

    async def run(self, readers: Readers) -> None:
        """Read until cancelled. Raises redis-py's errors and RedisEmptiedError; call it again."""
        await self._check(readers)
        await self._find_loss(readers)  # the connection broke, perhaps in a failover
        while True:
            if self.checked_seconds >= _CHECK_SECONDS:
                await self._check(readers)
            streams: Any = {
                self._keys.journal: str(self._recent.top),
                self._keys.webhook_changes: self._change,
            }
            wait = max(1, round((_CHECK_SECONDS - self.checked_seconds) * 1000))
            reply: Any = await self._blocking.xread(streams, count=_PAGE, block=wait)
            await self._read(reply, readers)

    async def _read(self, reply: dict[bytes, list[tuple[bytes, Any]]], readers: Readers) -> None:
        entries = [entry_of(*row) for row in reply.get(self._keys.journal.encode(), ())]
        if not self._publish(entries, readers):
            await self._fill_in(readers)
        if changes := reply.get(self._keys.webhook_changes.encode()):
            await readers.changed([parse_change(fields) for _, fields in changes])
            self._change = changes[-1][0].decode()

    def _publish(self, entries: Sequence[JournalEntry], readers: Readers) -> bool:
        """Publish entries that follow each other. False if one does not follow what was read."""
        for entry in entries:
            previous = parse_position(entry.previous)
            if self._recent.top == START == self._recent.floor:
                self._recent.clear(previous)  # the very first entry follows the journal's start
            if previous != self._recent.top:
                return False
            readers.publish(entry)
        return True

    async def _fill_in(self, readers: Readers) -> None:
        """Something is missing before an entry: Redis lost it, or it was trimmed."""
        if await self._find_loss(readers):
            return
        after = self._recent.top
        match await self._journal.after(after, _PAGE):
            case JournalGap(resumes_after):
                log.warning("journal_entries_passed", after=str(after), to=str(resumes_after))
                self._recent.clear(resumes_after)
                readers.skip(after)
            case JournalPage(entries, _) if parse_position(entries[0].previous) < after:
                before = parse_position(entries[0].previous)
                readers.rewind(before, self._recent.truncate(before))  # `after` was lost too
            case JournalPage(entries, _):
                self._publish(entries, readers)

    async def _check(self, readers: Readers) -> None:
        """Compare the end of the journal with what was read."""
        tip, server = await self._read_tip(), self._server
        is_another = server is not None and server != tip.server
        if self._emptied:
            raise RedisEmptiedError("Redis was emptied, so there are no webhooks any more")
        if tip.top < self._recent.top or is_another:
            await self._find_loss(readers)
        if is_another:  # an HSCAN of the former one may have gone on with this one: read all again
            await readers.changed(None)
        self._server = tip.server
        await self._read_missed_changes(readers)

    async def _find_loss(self, readers: Readers) -> bool:
        """Compare all recent events with the journal. True if Redis lost some."""
        common = await last_common_position(self._journal, self._recent)
        if common is None or common >= self._recent.top:  # None: all recent events were trimmed
            return False
        lost = self._recent.truncate(common)
        LOST_EVENT.inc(sum(parse_position(entry.position).by_clock for entry in lost))
        log.error("journal_went_backwards", agreed=str(common), events=len(lost))
        readers.rewind(common, lost)
        return True

    async def _read_missed_changes(self, readers: Readers) -> None:
        """A blocking read sees no change that a failover put below the last one that was read."""
        answer = await self._changes.after(self._change)
        end, changes = answer or (await self._changes.end(), None)
        if changes is None or changes:
            await readers.changed(changes)
        self._change = end

    async def _read_tip(self) -> JournalTip:
        detector, was_lost = self._detector, self._detector.lost
        tip = await check_journal(self._redis, self._keys, detector, name=self._name)
        self._checked_at = asyncio.get_running_loop().time()
        self._emptied |= detector.lost and not was_lost
        if detector.lost and detector.cursor is None and tip.cursor is None:
            detector.adopt(tip)  # there never was an indexer that could announce the loss
        return tip
