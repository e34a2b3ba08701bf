"""The outbox: events on their way to the subscribers.

What is published in one turn of the loop (or within BATCH_MS) is gathered and goes to each
subscriber in one write. A large audience is written to in portions with turns of the loop between
them, so that handshakes and probes are answered meanwhile; the next batch waits its turn, and order
holds for everyone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.connections.subscriber import Subscriber
from services.fanout.feed.recent import Item
from shared.journal.wire import JournalEntry

_PORTION = 1000
"""Writes in one turn of the loop: some milliseconds."""
_COPIED = 8192
"""Bytes that cost about as much to hand over as the write itself."""
_LOOKS = 20
"""Subscribers looked at in the time of a write."""


Group = tuple[list[Subscriber], bytes, int]
"""To whom, what, and how many events that is."""


class QueuedFrame(NamedTuple):
    """A frame for those who joined before it: `number` counts them, `epoch` is the feed's.

    With `to` it is for these alone, without `entry` it is no event.
    """

    number: int
    frame: bytes
    entry: JournalEntry | None = None
    epoch: int = 0
    to: Collection[Subscriber] | None = None


class Broadcaster:
    """Plain functions; `sent` is told each event and how many it was written to."""

    def __init__(
        self,
        registry: SubscriberRegistry,
        *,
        batch_seconds: float,
        sent: Callable[[JournalEntry, int, int], None],
    ) -> None:
        self._registry = registry
        self._batch_seconds = batch_seconds
        self._sent = sent
        self._loop = asyncio.get_running_loop()
        self._batch: list[QueuedFrame] = []
        self._most_bytes = registry.backlog_bytes // 2  # in one write: it must fit in a backlog
        self._work: Iterator[bool] | None = None
        self._scheduled = False
        self._reached: list[tuple[QueuedFrame, int]] = []  # of the batch that is being written

    @property
    def busy(self) -> bool:
        """Whether anything published has not been written to everyone yet."""
        return bool(self._batch) or self._work is not None

    def publish(self, item: Item, epoch: int = 0) -> None:
        """An event for its audience; `epoch` above 0 only for who joined in that or later."""
        self._add(QueuedFrame(self._registry.next_seq(), item.frame, item.entry, epoch))

    def broadcast(self, frame: bytes, epoch: int = 0) -> None:
        """A frame for all live subscribers of that epoch or later, after what was published."""
        self._add(QueuedFrame(self._registry.next_seq(), frame, epoch=epoch))

    def send_to(self, to: Collection[Subscriber], frame: bytes) -> None:
        """A frame for these live subscribers, behind what was published before."""
        if self.busy:
            self._add(QueuedFrame(self._registry.next_seq(), frame, to=to))
            return
        self._registry.deliver(to, frame)

    def _add(self, queued: QueuedFrame) -> None:
        self._batch.append(queued)
        if self._work is None and not self._scheduled:
            self._scheduled = True
            if self._batch_seconds:
                self._loop.call_later(self._batch_seconds, self._begin)
            else:
                self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._scheduled = False
        count = self._count()
        batch, self._batch = self._batch[:count], self._batch[count:]
        self._work = self._send_out(batch)
        self._go_on()

    def _count(self) -> int:
        """How many letters go out together."""
        size = 0
        for count, queued in enumerate(self._batch):
            size += len(queued.frame)
            if size > self._most_bytes:
                return max(1, count)
        return len(self._batch)

    def _go_on(self) -> None:
        """Do a portion of the work; then come back in the next turn, or begin the next batch."""
        assert self._work is not None
        over = True
        try:
            over = next(self._work, True)
        finally:  # a defect must not stop all that comes after
            if over:
                self._work = None
                self._scheduled = bool(self._batch)
            if not over or self._batch:
                self._loop.call_soon(self._begin if over else self._go_on)
        if over:
            self._tell()

    def _send_out(self, batch: Sequence[QueuedFrame]) -> Iterator[bool]:
        """Write to each what is its own of a batch; yields where others may have a turn."""
        if len(batch) == 1:
            (queued,) = batch
            groups = iter([(self._audience(queued), queued.frame, _events(batch))])
        else:
            gathered: dict[Subscriber, list[QueuedFrame]] = {}
            yield from self._gather(batch, gathered)
            groups = _joined(gathered)
        left = _PORTION
        for members, data, events in groups:
            cost = 1 + len(data) // _COPIED
            at = 0
            while at < len(members):
                if left <= 0:
                    yield False
                    left = _PORTION
                some = members[at : at + max(1, left // cost)]
                self._registry.deliver(some, data, events)
                left -= cost * len(some)
                at += len(some)

    def _gather(
        self, batch: Sequence[QueuedFrame], gathered: dict[Subscriber, list[QueuedFrame]]
    ) -> Iterator[bool]:
        cost = 0
        for queued in batch:
            if cost >= _LOOKS * _PORTION:
                yield False
                cost = 0
            for subscriber in (audience := self._audience(queued)):
                gathered.setdefault(subscriber, []).append(queued)
            cost += len(audience)

    def _tell(self) -> None:
        reached, self._reached = self._reached, []
        for queued, count in reached:
            if queued.entry is not None:
                self._sent(queued.entry, count, len(queued.frame))

    def _audience(self, queued: QueuedFrame) -> list[Subscriber]:
        entry, number, epoch = queued.entry, queued.number, queued.epoch
        if queued.to is not None:
            return list(queued.to)
        audience = list(self._registry.hub.audience(entry.topics if entry else ()))
        if self._registry.last_join_seq >= number or epoch:  # somebody came too late, or too early
            audience = [s for s in audience if s.joined_at_seq < number and s.epoch >= epoch]
        if entry is not None:
            audience = [s for s in audience if s.takes_all or s.wants(entry)]
        self._reached.append((queued, len(audience)))
        return audience


def _events(frames: Sequence[QueuedFrame]) -> int:
    return sum(queued.entry is not None for queued in frames)


def _joined(gathered: dict[Subscriber, list[QueuedFrame]]) -> Iterator[Group]:
    """Those who get the same letters, with their frames in one piece."""
    groups: dict[tuple[int, ...], tuple[list[Subscriber], list[QueuedFrame]]] = {}
    for subscriber, frames in gathered.items():
        key = tuple([queued.number for queued in frames])
        groups.setdefault(key, ([], frames))[0].append(subscriber)
    for members, frames in groups.values():
        yield members, b"".join([queued.frame for queued in frames]), _events(frames)
