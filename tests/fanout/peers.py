"""Subscribers on socket pairs, events to publish to them, and subscribers without sockets."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import TypeAlias

import orjson

from services.fanout.connections.broadcaster import Broadcaster
from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.connections.subscriber import Subscriber
from services.fanout.feed.recent import RecentEvents, RecentItem
from services.fanout.frame import GZIP_HEADER, Encoding
from shared.auth.principal import ANYONE, Principal
from shared.domain.position import START
from shared.journal.wire import JournalEntry
from tests.fanout.turns import turn
from tests.support.sse_parser import Event, Parser

MakePeer: TypeAlias = Callable[..., "Peer"]
"""Creates a peer with these topics."""


class Peer:
    """A client on a socket pair. The other end is a subscriber in the registry."""

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
        self.subscriber = Subscriber(ours, frozenset(types), principal)
        self.parser = Parser()
        self.ended = False
        registry.register(self.subscriber)
        if topics:
            registry.go_live(self.subscriber, topics, epoch)

    def read(self) -> list[Event]:
        """The events that arrived since the last call."""
        events = []
        try:
            while data := self.sock.recv(1 << 16):
                events += self.parser.feed(data)
            self.ended = True
        except BlockingIOError:
            pass
        return events


def item(*topics: str, n: int = 1, size: int = 10, kind: str = "stream.created") -> RecentItem:
    body = orjson.dumps({"filler": "x" * (size - 13)})
    entry = JournalEntry(f"{n}-0", f"{n - 1}-0", kind, topics, body)
    return RecentEvents(START, events=9, size=1 << 20).append(entry)


class RecordingBroadcaster(Broadcaster):
    """A broadcaster that records (position, number of subscribers, bytes) for each sent event."""

    def __init__(self, registry: SubscriberRegistry, *, batch_seconds: float = 0.0) -> None:
        super().__init__(registry, batch_seconds=batch_seconds, on_sent=self._record)
        self.sent: list[tuple[str, int, int]] = []

    def _record(self, entry: JournalEntry, reached: int, size: int) -> None:
        self.sent.append((entry.position, reached, size))

    def publish(self, one: RecentItem, epoch: int = 0) -> None:
        """Publish an event that waits for the next iteration of the event loop, like a notice."""
        self.queue(one, epoch)
        self._schedule()

    async def delivered(self, *items: RecentItem, epoch: int = 0) -> int:
        """Publish the events one by one. Return the number of subscribers that got the last."""
        for one in items:
            self.publish(one, epoch)
            await self.idle()
        return self.sent[-1][1]

    async def idle(self) -> None:
        """Wait until every event is sent."""
        for _ in range(100_000):
            if not self.busy:
                return
            await turn()
        raise AssertionError("the broadcaster is still busy")


NO_POLLER = SimpleNamespace(
    add=lambda _: None, remove=lambda _: None, waiting=lambda _: None, close=lambda: None
)
"""Replaces the poller of a registry whose subscribers have no descriptors."""


NO_SOCKET = socket.SocketType()
"""The socket of a subscriber that has no connection. It is closed."""
NO_SOCKET.close()


class FakeSubscriber(Subscriber):
    """A subscriber without a socket. It records the events of each write."""

    __slots__ = ("_gzip", "parser", "writes")

    def __init__(self, fd: int, encoding: Encoding = Encoding.PLAIN) -> None:
        super().__init__(NO_SOCKET, encoding=encoding)
        self.fd = fd
        self.parser = Parser()
        self.writes: list[list[Event]] = []
        self._gzip = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self._gzip.decompress(GZIP_HEADER)

    def write(self, frame: bytes, now: float) -> None:
        """Record the events of this write."""
        if self.encoding & Encoding.GZIP:
            frame = self._gzip.decompress(frame)
        self.writes.append(self.parser.feed(frame))
        assert not self.parser.unfinished, "frames stay whole"

    def close(self, *, reset: bool = False) -> None:
        """Mark it as closed. There is no descriptor to close."""
        self.fd = -1

    @property
    def got(self) -> list[Event]:
        """All received events."""
        return [event for write in self.writes for event in write]

    @property
    def ids(self) -> list[str | None]:
        """The ids of the received events, without sync."""
        return [event.own_id for event in self.got if event.name != "sync"]


class FakeSubscribers:
    """Creates subscribers without descriptors and registers them for topics."""

    def __init__(self) -> None:
        self.registry = SubscriberRegistry(
            backlog_bytes=1 << 20, total_backlog_bytes=1 << 27, write_seconds=20.0
        )

    def __call__(self, count: int, *topics: str) -> list[FakeSubscriber]:
        made = [
            FakeSubscriber(fd) for fd in range(self.registry.count, self.registry.count + count)
        ]
        for fake in made:
            self.registry.register(fake)
            self.registry.go_live(fake, topics)
        return made
