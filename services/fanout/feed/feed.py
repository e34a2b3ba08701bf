"""The feed: every event of the journal, in order, none missing, as soon as it is committed.

The channel is a hint, the journal is the truth. Each message names the position of the entry before
it, so a lost message shows at once and is filled in from the journal. The journal's top is probed
about once a second, so that a channel that died in silence shows too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog
from redis.asyncio import Redis

from services.fanout import metrics
from services.fanout.feed.failover import Failover, LostEvents
from services.fanout.feed.pubsub import ChannelReader, own_entry, subscribe
from services.fanout.feed.recent import Item, RecentEvents
from services.fanout.feed.single_flight import SingleFlightReader
from shared.domain.position import START, Position, parse_position
from shared.journal.keys import CHANNEL, Keys
from shared.journal.reader import Journal, JournalGap, JournalPage, JournalTip, NoNewEvents
from shared.journal.wire import JournalEntry
from shared.runtime.tasks import cancel, supervise

log = structlog.get_logger()

_PAGE = 500
_TAKEN = {via: metrics.EVENTS.labels(via) for via in ("channel", "journal")}
_WARM = 5_000
"""Events that the ring begins with, so that a restart does not send all resumes to Redis."""


class Feed:
    """One per process.

    `publish` is called with each event, `missing` with each gap in the journal; both get the lowest
    epoch (feed.failover) that has not seen it. `lost` is called with events that do not come back.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        recent: RecentEvents,
        *,
        publish: Callable[[Item, int], None],
        missing: Callable[[Position, Position, int], None],
        lost: Callable[[LostEvents], None],
        probe_seconds: float,
    ) -> None:
        self.journal = Journal(redis, keys)
        self.reader = SingleFlightReader(self.journal)
        self.recent = recent
        self.head: JournalTip | None = None
        self.started = asyncio.Event()
        self.failover = Failover(redis, keys)
        self._redis = redis
        self._namespace = keys.namespace
        self._publish = publish
        self._missing = missing
        self._lost = lost
        self._probe_seconds = probe_seconds
        self._probed_at = 0.0
        self._heard = START  # position of the newest message
        self._forked = False  # the journal is not the one that was published
        self._reader: ChannelReader | None = None
        self._behind = asyncio.Event()
        self._reading = asyncio.Lock()

    @property
    def position(self) -> Position:
        """Everything up to here has been published."""
        return self.recent.top

    @property
    def whole(self) -> bool:
        """Whether nothing that was published is missing in the journal after a failover."""
        return self.position >= self.failover.highest

    @property
    def trouble(self) -> str | None:
        """Why the feed may be behind; None when it is not."""
        if not self.started.is_set():
            return "the journal has not been read yet: Redis does not answer"
        if time.monotonic() - self._probed_at > 3 * self._probe_seconds + 1:
            return "Redis does not answer"
        if self._reader is None or self._reader.closed.done():
            return "not subscribed to the channel"
        return None

    async def run(self) -> None:
        """Read until cancelled."""
        tasks = [
            supervise("feed_channel", self._listen, max_wait=1.0),
            supervise("feed_fill_in", self._fill_in),
            supervise("feed_probe", self._probe, max_wait=1.0),  # the indexer waits for its report
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            await cancel(*tasks)

    # ── the channel ──

    async def _listen(self) -> None:
        """Subscribe, read what is already there, then take messages until the connection ends."""
        reader = await subscribe(self._redis, CHANNEL, self._on_message, seconds=3.0)
        self._reader = reader
        try:
            self._heard = max(self._heard, (await self._read_head()).top)
            if not self.started.is_set():
                await self._start()
            self._behind.set()
            await reader.closed
        finally:
            reader.close()

    async def _start(self) -> None:
        """Begin at the journal's top, with the newest events in the ring."""
        head = await self.journal.tip()
        entries = await self.journal.latest(_WARM)
        self.recent.clear(parse_position(entries[0].previous) if entries else head.top)
        for entry in entries:
            self.recent.append(entry)
        self.started.set()
        log.info("feed_started", position=str(self.position), events=len(entries))

    def _on_message(self, raw: bytes) -> None:
        if (entry := own_entry(raw, self._namespace)) is None:
            return
        self._heard = position = parse_position(entry.position)
        if not self.started.is_set() or self._take(entry, "channel"):
            return
        if position > self.position:
            metrics.FILL_INS.inc()
            self._behind.set()
        elif position > self.recent.floor:  # new, yet among what was published: writes were lost
            self._forked = True
            self._behind.set()

    def _take(self, entry: JournalEntry, via: str) -> bool:
        """Publish the entry when it is the next; False when something is missing before it."""
        if entry.position in self.recent:
            return True
        if parse_position(entry.previous) != self.position:
            return False
        item = self.recent.append(entry)
        _TAKEN[via].inc()
        self._publish(item, self.failover.epoch_of(entry))
        return True

    # ── the journal ──

    async def _fill_in(self) -> None:
        while True:
            await self._behind.wait()
            self._behind.clear()
            try:
                async with self._reading:
                    await self._catch_up()
            except BaseException:
                self._behind.set()
                raise

    async def reach(self, position: Position) -> bool:
        """Read on at once, up to the journal's end; False when it ends before `position`."""
        async with self._reading:
            if position > self.position:
                await self._catch_up()
        return position <= self.position

    async def _catch_up(self) -> None:
        """Publish what the journal holds after the feed's position."""
        while True:
            if self._forked:
                await self._rewind()
            position = self.position
            match await self.journal.after(position, _PAGE):
                case NoNewEvents():
                    return
                case JournalGap(resumes_after):
                    await self._read_head()
                    if self.position == position and not self._forked:
                        self._skip_to(resumes_after)
                case JournalPage(entries, more):
                    if position == self.position == START:  # nothing was published from it
                        self.recent.clear(parse_position(entries[0].previous))
                    if position == self.position != parse_position(entries[0].previous):
                        await self._read_head()
                        if not await self._rewind():
                            raise RuntimeError(f"the journal contradicts itself after {position}")
                        continue
                    for entry in entries:
                        self._take(entry, "journal")
                    if not more and self.position >= parse_position(entries[-1].position):
                        return

    def _skip_to(self, position: Position) -> None:
        """Entries after ours are missing: send a gap to those who have not seen them, and go on."""
        log.error("journal_entries_passed", after=str(self.position), to=str(position))
        seen = position <= self.failover.highest
        self._missing(self.position, position, self.failover.epoch if seen else 0)
        self.recent.clear(position)

    async def _probe(self) -> None:
        while True:
            await self._look()
            await self.failover.report()
            await asyncio.sleep(self._probe_seconds)

    async def _look(self) -> None:
        """Compare the journal's top with what was published and with what the channel brought."""
        before, published = self.head, self.position
        head = await self._read_head()
        self._probed_at = time.monotonic()
        if not self.started.is_set():
            return
        if published == self.position == START < head.top and head.empty:
            self.recent.clear(head.top)  # the journal began, and nothing was published before
        elif head.top < published:
            self._forked = True
        if self._forked:
            self._heard = min(self._heard, head.top)
        if self._forked or head.top > self.position:
            self._behind.set()
        elif self.failover.is_over(head, self.position):
            self._lost(self.failover.end(head))
        # A message not here one look after its entry never comes: the channel is deaf, begin anew.
        if before and not before.empty and self._reader and head.top >= before.top > self._heard:
            log.warning("channel_deaf", top=str(before.top), heard=str(self._heard))
            self._reader.close()

    async def _read_head(self) -> JournalTip:
        """Read the journal's head. Notices when it is another journal than the one published."""
        before, self.head = self.head, await self.journal.tip()
        if self.failover.look(before, self.head, self.position):
            self._forked = True
        return self.head

    async def _rewind(self) -> bool:
        """Go back to where the journal parts from what was published; False when it does not."""
        self._forked = False
        try:
            return await self.failover.rewind(self.journal, self.recent)
        except BaseException:
            self._forked = True
            raise
