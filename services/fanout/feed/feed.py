"""The feed publishes every event of the journal, in order, none missing, right after its commit.

The channel only announces events; the journal is the truth. Each message names the position of the
entry before it. So the next message reveals a lost one, whose event is then read from the journal.
Once a second the feed compares the journal's end with the messages, which reveals a dead channel.

See docs/decisions/0002-journal-is-the-truth.md.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import structlog
from redis.asyncio import Redis

from services.fanout import metrics
from services.fanout.feed.failover import Failover
from services.fanout.feed.output import FeedOutput
from services.fanout.feed.pubsub import ChannelReader, own_entry, subscribe
from services.fanout.feed.recent import RecentEvents
from services.fanout.feed.single_flight import SingleFlightReader
from shared.domain.position import START, Position, parse_position
from shared.journal.keys import CHANNEL, Keys
from shared.journal.reader import Journal, JournalGap, JournalPage, JournalTip, NoNewEvents
from shared.journal.topic_reader import TopicReader
from shared.journal.wire import JournalEntry
from shared.runtime.tasks import cancel, supervise

log = structlog.get_logger()

_PAGE = 500
_START_EVENTS = 5_000
"""Events that the feed reads when it starts, so that resumes after a restart need no Redis."""


class Feed:
    """There is one feed in a process."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        recent: RecentEvents,
        output: FeedOutput,
        *,
        probe_seconds: float,
    ) -> None:
        self.journal = Journal(redis, keys)
        self.reader = SingleFlightReader(self.journal, TopicReader(redis, keys, self.journal))
        self.recent = recent
        self.tip: JournalTip | None = None
        self.started = asyncio.Event()
        self.failover = Failover(redis, keys)
        self._redis = redis
        self._namespace = keys.namespace
        self._output = output
        self._probe_seconds = probe_seconds
        self._probed_at = 0.0
        self._last_message = START  # position of the newest message
        self._published: Counter[str] = Counter()  # since the last probe, by source
        self._diverged = False  # True if the journal may lack published events
        self._channel: ChannelReader | None = None
        self._behind = asyncio.Event()
        self._read_lock = asyncio.Lock()

    @property
    def position(self) -> Position:
        """All events up to this position have been published."""
        return self.recent.top

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
        if self._channel is None or self._channel.closed.done():
            return "not subscribed to the channel"
        return None

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
        flush = self._output.flush
        reader = await subscribe(self._redis, CHANNEL, self._on_message, flush, seconds=3.0)
        self._channel = reader
        try:
            self._last_message = max(self._last_message, (await self._read_tip()).top)
            if not self.started.is_set():
                await self._start()
            self._behind.set()
            await reader.closed
        finally:
            reader.close()

    async def _start(self) -> None:
        """Start at the end of the journal, with its newest events as recent events."""
        tip = await self.journal.tip()
        entries = await self.journal.latest(_START_EVENTS)
        self.recent.clear(parse_position(entries[0].previous) if entries else tip.top)
        for entry in entries:
            self.recent.append(entry)
        self._probed_at = time.monotonic()
        self.started.set()
        log.info("feed_started", position=str(self.position), events=len(entries))

    def _on_message(self, raw: bytes) -> None:
        if (entry := own_entry(raw, self._namespace)) is None:
            return
        self._last_message = position = parse_position(entry.position)
        if not self.started.is_set() or self._publish_if_next(entry, "channel"):
            return
        if position > self.position:
            metrics.FILL_INS.inc()
            self._behind.set()
        elif position > self.recent.floor:  # new, but below the feed's position: Redis lost writes
            self._diverged = True
            self._behind.set()

    def _publish_if_next(self, entry: JournalEntry, via: str) -> bool:
        """Publish the entry unless it was published before. False if one in between is missing."""
        if entry.position in self.recent:
            return True
        if parse_position(entry.previous) != self.position:
            return False
        self._published[via] += 1
        self._output.publish(self.recent.append(entry), self.failover.epoch_of(entry))
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
        """Read the journal to its end now. False if the journal ends before `position`."""
        async with self._read_lock:
            if position > self.position:
                await self._catch_up()
        return position <= self.position

    async def _catch_up(self) -> None:
        """Publish the entries of the journal after the feed's position."""
        while True:
            if self._diverged:
                await self._rewind()
            position = self.position
            match await self.journal.after(position, _PAGE):
                case NoNewEvents():
                    return
                case JournalGap(resumes_after):
                    await self._read_tip()
                    if self.position == position and not self._diverged:
                        self._skip_to(resumes_after)
                case JournalPage(entries, more):
                    if position == self.position == START:  # nothing of this journal was published
                        self.recent.clear(parse_position(entries[0].previous))
                    if position == self.position != parse_position(entries[0].previous):
                        await self._read_tip()
                        if not await self._rewind():
                            raise RuntimeError(f"the journal is inconsistent after {position}")
                        continue
                    for entry in entries:
                        self._publish_if_next(entry, "journal")
                    self._output.flush()
                    if not more and self.position >= parse_position(entries[-1].position):
                        return

    def _skip_to(self, position: Position) -> None:
        """Skip missing entries: send `gap` to the subscribers that have not seen these entries."""
        log.error("journal_entries_passed", after=str(self.position), to=str(position))
        seen = position <= self.failover.highest
        self._output.gap(self.position, position, self.failover.epoch if seen else 0)
        self.recent.clear(position)

    async def _probe(self) -> None:
        while True:
            metrics.count_events(self._published)
            await self._check_tip()
            await self.failover.report()
            await asyncio.sleep(self._probe_seconds)

    async def _check_tip(self) -> None:
        """Compare the journal's end with the published events and the channel's messages."""
        previous, published = self.tip, self.position
        tip = await self._read_tip()
        self._probed_at = time.monotonic()
        if not self.started.is_set():
            return
        if published == self.position == START < tip.top and tip.empty:
            self.recent.clear(tip.top)  # the journal has begun, and nothing was published yet
        elif tip.top < published:
            self._diverged = True
        if self._diverged:
            self._last_message = min(self._last_message, tip.top)
        if self._diverged or tip.top > self.position:
            self._behind.set()
        elif self.failover.is_over(tip, self.position):
            self._output.loss(self.failover.end(tip))
        # If no message announced the last entry of the previous check, subscribe again.
        expected = previous.top if previous and not previous.empty else START
        if self._channel and tip.top >= expected > self._last_message:
            log.warning("channel_deaf", top=str(expected), heard=str(self._last_message))
            self._channel.close()

    async def _read_tip(self) -> JournalTip:
        """Read the journal's tip. Notice if Redis lost events since the previous tip."""
        previous, self.tip = self.tip, await self.journal.tip()
        if self.failover.detect_loss(previous, self.tip, self.position):
            self._diverged = True
        return self.tip

    async def _rewind(self) -> bool:
        """Remove the recent events that the journal lacks. False if the journal has all of them."""
        self._diverged = False
        try:
            return await self.failover.rewind(self.journal, self.recent)
        except BaseException:
            self._diverged = True
            raise
