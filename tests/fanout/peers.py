"""Peers: subscribers on socket pairs, what is published to them, and what they read."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import TypeAlias

from services.fanout.connections.broadcaster import Broadcaster
from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.connections.subscriber import Subscriber
from services.fanout.feed.recent import RecentEvents, RecentItem
from shared.auth.principal import ANYONE, Principal
from shared.domain.position import START
from shared.journal.wire import JournalEntry
from tests.fanout.turns import turn
from tests.support.sse_parser import Event, Parser

MakePeer: TypeAlias = Callable[..., "Peer"]
"""Makes a peer with these topics."""


class Peer:
    """Our end is in the crowd, the other one here."""

    def __init__(
        self,
        registry: SubscriberRegistry,
        *topics: str,
        types: Iterable[str] = (),
        epoch: int = 0,
        principal: Principal = ANYONE,
    ) -> None:
        ours, self.sock = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        for sock in (ours, self.sock):
            sock.setblocking(False)
        self.subscriber = Subscriber(ours.detach(), frozenset(types), principal)
        self.parser = Parser()
        self.ended = False
        registry.register(self.subscriber)
        if topics:
            registry.go_live(self.subscriber, topics, epoch)

    def read(self) -> list[Event]:
        """The events that came since the last time."""
        events = []
        try:
            while data := self.sock.recv(1 << 16):
                events += self.parser.feed(data)
            self.ended = True
        except BlockingIOError:
            pass
        return events


def item(*topics: str, n: int = 1, size: int = 10, kind: str = "stream.created") -> RecentItem:
    entry = JournalEntry(f"{n}-0", f"{n - 1}-0", kind, topics, b'"%b"' % (b"x" * size))
    return RecentEvents(START, events=9, size=1 << 20).append(entry)


class RecordingBroadcaster(Broadcaster):
    """An outbox that tells how many each event went to."""

    def __init__(self, registry: SubscriberRegistry, *, batch_seconds: float = 0.0) -> None:
        super().__init__(registry, batch_seconds=batch_seconds, on_sent=self._record)
        self.sent: list[tuple[str, int, int]] = []

    def _record(self, entry: JournalEntry, reached: int, size: int) -> None:
        self.sent.append((entry.position, reached, size))

    async def delivered(self, *items: RecentItem, epoch: int = 0) -> int:
        """Publish each in a turn of its own; returns how many the last was written to."""
        for one in items:
            self.publish(one, epoch)
            await self.idle()
        return self.sent[-1][1]

    async def idle(self) -> None:
        """Until nothing is on its way."""
        for _ in range(100_000):
            if not self.busy:
                return
            await turn()
        raise AssertionError("the outbox never ends")


NO_POLLER = SimpleNamespace(add=lambda _: None, remove=lambda _: None, close=lambda: None)
"""In place of a crowd's own, for subscribers without descriptors."""


class FakeSubscriber(Subscriber):
    """Takes every write and notes it; its descriptor is none."""

    __slots__ = ("parser", "writes")

    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        self.parser = Parser()
        self.writes: list[list[Event]] = []

    def write(self, frame: bytes, now: float) -> None:
        """Note it."""
        self.writes.append(self.parser.feed(frame))
        assert not self.parser.unfinished, "frames stay whole"

    def close(self) -> None:
        """Nothing was opened."""
        self.fd = -1

    @property
    def got(self) -> list[Event]:
        """All events."""
        return [event for write in self.writes for event in write]

    @property
    def ids(self) -> list[str | None]:
        """The positions of what was published."""
        return [event.own_id for event in self.got if event.name != "sync"]
