"""The feed publishes every event of the journal, in order, none missing, right after its commit.

The channel only announces events; the journal is the truth. Each message names the position of the
entry before it. So the next message reveals a lost one, whose event is then read from the journal.
Once a second the feed compares the journal's end with the messages, which reveals a dead channel.

The channel and the journal can be read from a replica of Redis (feed.server). What Redis has lost
is decided by the journal of the primary.

See docs/decisions/0002-journal-is-the-truth.md,
docs/decisions/0102-fanouts-read-from-replicas.md.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import structlog
from redis.exceptions import ConnectionError as RedisConnectionError

from services.fanout import metrics
from services.fanout.feed.channel import Channel
from services.fanout.feed.failover import Failover
from services.fanout.feed.output import FeedOutput
from services.fanout.feed.pubsub import own_entry
from services.fanout.feed.recent import RecentEvents
from services.fanout.feed.server import FeedServer, Tips
from shared.domain.position import START, Position, parse_position
from shared.journal.reader import JournalGap, JournalPage, JournalTip, NoNewEvents
from shared.journal.wire import JournalEntry
from shared.runtime.tasks import cancel, supervise

log = structlog.get_logger()

_PAGE = 500
_START_EVENTS = 5_000
"""Events that the feed reads when it starts, so that resumes after a restart need no Redis."""


class Feed:
    """There is one feed in a process."""

    def __init__(
        self, server: FeedServer, recent: RecentEvents, output: FeedOutput, *, probe_seconds: float
    ) -> None:
        self.server = server
        self.journal, self.reader = server.journal, server.reader
        self.recent = recent
        self.started = asyncio.Event()
        self.failover = Failover(server.primary, server.keys, server.primary_journal)
        self._namespace = server.keys.namespace
        self._output = output
        self._probe_seconds = probe_seconds
        self._probed_at = 0.0
        self._published: Counter[str] = Counter()  # since the last probe, by source
        self._tips: Tips | None = None
        self._channel = Channel()
        self._behind = asyncio.Event()
        self._read_lock = asyncio.Lock()

    @property
    def position(self) -> Position:
        """All events up to this position have been published."""
        return self.recent.top

    @property
    def tip(self) -> JournalTip | None:
        """The end of the journal that the feed reads. None before the first read."""
        return self._tips.own if self._tips else None

    @property
    def is_complete(self) -> bool:
        """False after a loss, until the feed is again at the highest position it had published."""
        return self.position >= self.failover.highest

    @property
    def lag_reason(self) -> str | None:
        """Why the feed may be behind. None if nothing is wrong."""
        if not self.started.is_set():
            return "the journal has not been read yet: Redis does not answer"
        if time.monotonic() - self._probed_at > 3 * self._probe_seconds + 1:
            return "Redis does not answer"
        if not self._channel.is_open:
            return "not subscribed to the channel"
        return self.server.reason

    async def run(self) -> None:
        """Read until cancelled."""
        tasks = [
            supervise("feed_channel", self._listen, max_wait=1.0),
            supervise("feed_fill_in", self._fill_in),
            # Retry within 1 s: after a loss the indexer waits only 2 s for the report of this task.
            supervise("feed_probe", self._probe, max_wait=1.0),
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            await cancel(*tasks)

    async def _listen(self) -> None:
        """Subscribe, read the events of the journal, then receive messages while connected."""
        channel = self._channel
        reader = await channel.open(self.server, self._on_message, self._output.flush)
        try:
            channel.heard = max(channel.heard, (await self._read_tip()).own.top)
            if not self.started.is_set():
                await self._start()
            self._behind.set()
            await reader.closed
        finally:
            reader.close()

    async def _start(self) -> None:
        """Start at the end of the journal, with its newest events as recent events."""
        if not self.server.in_step:
            raise RedisConnectionError(f"cannot start: {self.server.note}")
        tip = await self.journal.tip()
        entries = await self.journal.latest(_START_EVENTS)
        self.recent.load(entries, tip.top)
        self._probed_at = time.monotonic()
        self.started.set()
        log.info("feed_started", position=str(self.position), events=len(entries))

    def _on_message(self, raw: bytes) -> None:
        if (entry := own_entry(raw, self._namespace)) is None:
            return
        self._channel.heard = position = parse_position(entry.position)
        if not self.started.is_set() or not self.server.in_step:
            return
        if self._publish_if_next(entry, "channel"):
            return
        if position > self.position:
            metrics.FILL_INS.inc()
            self._behind.set()
        elif position > self.recent.floor:  # new, but below the feed's position: Redis lost writes
            self.failover.suspected = True
            self._behind.set()

    def _publish_if_next(self, entry: JournalEntry, via: str) -> bool:
        """Publish the entry unless it was published before. False if one in between is missing."""
        recent = self.recent
        if not recent.is_next(entry):
            return entry.position in recent
        self._published[via] += 1
        self._output.publish(recent.append(entry), self.failover.epoch_of(entry))
        return True

    async def _fill_in(self) -> None:
        while True:
            await self._behind.wait()
            self._behind.clear()
            try:
                async with self._read_lock:
                    await self._catch_up()
            except BaseException:
                self._behind.set()
                raise

    async def reach(self, position: Position) -> bool:
        """Read the journal up to `position` now. False if Redis lost it. See FeedServer.has."""
        while True:
            async with self._read_lock:
                if position > self.position:
                    await self._catch_up()
            if position <= self.position:
                return True
            if not await self.server.has(position):
                return False

    async def _catch_up(self) -> None:
        """Publish the entries of the journal after the feed's position."""
        while self.server.in_step:
            if self.failover.suspected:
                await self.failover.rewind(self.recent)
            position = self.position
            match await self.journal.after(position, _PAGE):
                case NoNewEvents():
                    return
                case JournalGap(resumes_after):
                    await self._read_tip()
                    if self.position == position and not self.failover.suspected:
                        await self._skip_to(resumes_after)
                case JournalPage(entries, more):
                    if position == self.position == START:  # nothing of this journal was published
                        self.recent.clear(parse_position(entries[0].previous))
                    if position == self.position != parse_position(entries[0].previous):
                        await self._read_tip()
                        if self.server.in_step and not await self.failover.rewind(self.recent):
                            raise RuntimeError(f"the journal is inconsistent after {position}")
                        continue
                    for entry in entries:
                        self._publish_if_next(entry, "journal")
                    self._output.flush()
                    if not more and self.position >= parse_position(entries[-1].position):
                        return

    async def _skip_to(self, position: Position) -> None:
        """Publish trimmed entries from the archive; else send `gap` to those who lack them."""
        if not self.server.in_step:
            return
        if entries := await self.server.archived_after(self.position, _PAGE):
            for entry in entries:
                self._publish_if_next(entry, "journal")
            self._output.flush()
            return
        log.error("journal_entries_passed", after=str(self.position), to=str(position))
        seen = position <= self.failover.highest
        self._output.gap(self.position, position, self.failover.epoch if seen else 0)
        self.recent.clear(position)

    async def _probe(self) -> None:
        while True:
            metrics.count_events(self._published)
            try:
                await self._check_tip()
            finally:
                self.server.move_on()
                self._channel.close_if_moved(self.server.generation)
            await self.failover.report()
            await asyncio.sleep(self._probe_seconds)

    async def _check_tip(self) -> None:
        """Compare the journal's end with the published events and the channel's messages."""
        previous, published = self.tip, self.position
        own, primary = await self._read_tip()
        self._probed_at = time.monotonic()
        if not self.started.is_set():
            return
        in_step = self.server.in_step
        if in_step and published == self.position == START < primary.top and primary.empty:
            self.recent.clear(primary.top)  # the journal has begun, and nothing was published yet
        elif primary.top < published:
            self.failover.suspected = True
        if self.failover.suspected:
            self._channel.heard = min(self._channel.heard, own.top)
        if self.failover.suspected or own.top > self.position:
            self._behind.set()
        elif in_step and self.failover.is_over(primary, self.position):
            self._output.loss(self.failover.end(primary))
        self._channel.close_if_deaf(previous, own)

    async def _read_tip(self) -> Tips:
        """Read the journals' tips. Notice if Redis lost events since the previous read."""
        previous, published = self._tips, self.position  # events published meanwhile may be newer
        self._tips = tips = await self.server.read()
        self.failover.check(previous and previous.primary, tips.primary, published)
        return tips
