"""Sends published events to their subscribers.

Everything that is published in one iteration of the event loop (or within BATCH_MS) is one batch,
and so are the events that the feed has read at once. Each subscriber gets its part of a batch in
one write. A large audience is written to in portions. Between two portions other tasks run, so that
new connections and probes are answered. The next batch waits until all portions are written, so
every subscriber gets the events in order.

See docs/decisions/0087-events-are-written-when-they-are-read.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.connections.subscriber import Subscriber
from services.fanout.feed.recent import RecentItem
from services.fanout.frame import Frame, JoinedFrames
from shared.journal.wire import JournalEntry

_PORTION = 1000
"""The most writes in one iteration of the event loop. Together they take about 8 ms."""
_BYTES_PER_WRITE = 8192
"""Each 8 KiB of a frame count as one more write.

This estimate is high: a write takes about 8 µs, and copying 8 KiB into the kernel 1 to 3 µs.
"""
_FEW = 20
"""Subscribers to which an event is written without portions."""
_CHECKS_PER_WRITE = 20
"""Audience checks that count as one write. One check takes 0.1 to 0.4 µs."""


Group = tuple[list[Subscriber], Frame, int]
"""Some subscribers, what each of them gets, and the number of events in it."""


class QueuedFrame(NamedTuple):
    """A frame for the subscribers that joined before the frame was published.

    `number` is the frame's sequence number. With `epoch`, the frame is only for subscribers that
    joined in this epoch of the feed or later. With `to`, the frame is only for these subscribers.
    Without `entry`, the frame is not an event.
    """

    number: int
    frame: Frame
    entry: JournalEntry | None = None
    epoch: int = 0
    to: Collection[Subscriber] | None = None


class Broadcaster:
    """Queues frames and writes them. No function awaits.

    `on_sent` is called once for each event, after its last write. It gets the event, the number of
    subscribers that the event was for, and the size of the event's plain frame in bytes.
    """

    def __init__(
        self,
        registry: SubscriberRegistry,
        *,
        batch_seconds: float,
        on_sent: Callable[[JournalEntry, int, int], None],
    ) -> None:
        self._registry = registry
        self._batch_seconds = batch_seconds
        self._on_sent = on_sent
        self._loop = asyncio.get_running_loop()
        self._batch: list[QueuedFrame] = []
        self._max_batch_bytes = registry.backlog_bytes // 2  # one write must fit into a backlog
        self._writing: Iterator[bool] | None = None
        self._scheduled = False
        # For the batch that is being written: each frame, and the size of its audience.
        self._reached: list[tuple[QueuedFrame, int]] = []

    @property
    def busy(self) -> bool:
        """True while something that was published has not been written to everyone yet."""
        return bool(self._batch) or self._writing is not None

    def queue(self, item: RecentItem, epoch: int = 0) -> None:
        """Publish an event for the subscribers that joined in this epoch or a later one.

        The caller calls `flush` before its next await.
        """
        number = self._registry.next_seq()
        self._batch.append(QueuedFrame(number, item.frame, item.entry, epoch))

    def broadcast(self, frame: bytes, epoch: int = 0) -> None:
        """Publish a frame for all live subscribers that joined in this epoch or a later one."""
        self._add(QueuedFrame(self._registry.next_seq(), Frame(frame), epoch=epoch))

    def send_to(self, to: Collection[Subscriber], frame: bytes) -> None:
        """Publish a frame for these subscribers, after everything that was published before."""
        if self.busy:
            self._add(QueuedFrame(self._registry.next_seq(), Frame(frame), to=to))
            return
        self._registry.deliver(to, Frame(frame))

    def flush(self) -> None:
        """Write the queued events now, unless BATCH_MS or frames before these events delay them."""
        if self._batch_seconds:
            self._schedule()
        elif not self._batch or self._scheduled or self._writing is not None:
            return
        elif len(self._batch) > 1 or not self._write_single():
            self._start_batch()

    def _add(self, queued: QueuedFrame) -> None:
        self._batch.append(queued)
        self._schedule()

    def _schedule(self) -> None:
        if self._batch and self._writing is None and not self._scheduled:
            self._scheduled = True
            if self._batch_seconds:
                self._loop.call_later(self._batch_seconds, self._start_batch)
            else:
                self._loop.call_soon(self._start_batch)

    def _write_single(self) -> bool:
        """Write a batch of one event to a few subscribers. False if this is another batch.

        Nearly all batches are of this kind. It takes less work than a batch in portions.
        """
        queued = self._batch[0]
        if queued.entry is None or len(audience := self._audience(queued)) > _FEW:
            return False
        self._batch.clear()
        if audience:
            self._registry.deliver(audience, queued.frame, 1)
        self._on_sent(queued.entry, len(audience), queued.frame.size)
        return True

    def _start_batch(self) -> None:
        self._scheduled = False
        count = self._batch_size()
        batch, self._batch = self._batch[:count], self._batch[count:]
        self._writing = self._write_batch(batch)
        self._write_portion()

    def _batch_size(self) -> int:
        """How many queued frames are written together."""
        size = 0
        for count, queued in enumerate(self._batch):
            size += queued.frame.size
            if size > self._max_batch_bytes:
                return max(1, count)
        return len(self._batch)

    def _write_portion(self) -> None:
        """Write one portion. Then schedule the next portion, or start the next batch."""
        assert self._writing is not None
        done = True
        try:
            done = next(self._writing, True)
        finally:  # after an exception, continue with the next batch
            if done:
                self._writing = None
                self._scheduled = bool(self._batch)
            if not done or self._batch:
                self._loop.call_soon(self._start_batch if done else self._write_portion)
        if done:
            self._report_sent()

    def _write_batch(self, batch: Sequence[QueuedFrame]) -> Iterator[bool]:
        """Write a batch to its subscribers. Yields where other tasks of the event loop may run."""
        if len(batch) == 1:
            (queued,) = batch
            groups = iter([(self._reach(queued), queued.frame, _events(batch))])
        else:
            gathered: dict[Subscriber, list[QueuedFrame]] = {}
            yield from self._gather(batch, gathered)
            groups = _merge_equal(gathered)
        budget = _PORTION
        for members, frame, events in groups:
            cost = 1 + frame.size // _BYTES_PER_WRITE
            at = 0
            while at < len(members):
                if budget <= 0:
                    yield False
                    budget = _PORTION
                portion = members[at : at + max(1, budget // cost)]
                self._registry.deliver(portion, frame, events)
                budget -= cost * len(portion)
                at += len(portion)

    def _gather(
        self, batch: Sequence[QueuedFrame], gathered: dict[Subscriber, list[QueuedFrame]]
    ) -> Iterator[bool]:
        cost = 0
        for queued in batch:
            if cost >= _CHECKS_PER_WRITE * _PORTION:
                yield False
                cost = 0
            for subscriber in (audience := self._reach(queued)):
                gathered.setdefault(subscriber, []).append(queued)
            cost += len(audience)

    def _report_sent(self) -> None:
        reached, self._reached = self._reached, []
        for queued, count in reached:
            if queued.entry is not None:
                self._on_sent(queued.entry, count, queued.frame.size)

    def _reach(self, queued: QueuedFrame) -> list[Subscriber]:
        audience = self._audience(queued)
        self._reached.append((queued, len(audience)))
        return audience

    def _audience(self, queued: QueuedFrame) -> list[Subscriber]:
        number, _, entry, epoch, to = queued
        registry = self._registry
        if to is not None:
            return list(to)
        if entry is None:
            audience = list(registry.hub.audience(()))
        else:
            found = registry.hub.audience(entry.topics)
            audience = [s for s in found if s.takes_all or s.wants(entry)]
        if registry.last_join_seq >= number or epoch:
            # leave out subscribers that joined after this frame or before this epoch
            audience = [s for s in audience if s.joined_at_seq < number and s.epoch >= epoch]
        return audience


def _events(frames: Sequence[QueuedFrame]) -> int:
    return sum(queued.entry is not None for queued in frames)


def _merge_equal(gathered: dict[Subscriber, list[QueuedFrame]]) -> Iterator[Group]:
    """Group the subscribers that get the same frames, with these frames joined."""
    groups: dict[tuple[int, ...], tuple[list[Subscriber], list[QueuedFrame]]] = {}
    for subscriber, frames in gathered.items():
        key = tuple([queued.number for queued in frames])
        groups.setdefault(key, ([], frames))[0].append(subscriber)
    for members, frames in groups.values():
        yield members, JoinedFrames(queued.frame for queued in frames), _events(frames)
