"""All subscribers of this process. The registry owns the hub and writes to the subscribers.

See docs/decisions/0092-no-compiled-part.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from services.fanout import metrics
from services.fanout.connections.connection_ids import ConnectionIds
from services.fanout.connections.hub import Hub
from services.fanout.connections.poller import make_poller
from services.fanout.connections.slow_clients import SlowClients
from services.fanout.connections.subscriber import Subscriber
from services.fanout.frame import EncodedFrames, Frame
from services.fanout.reasons import EndReason
from shared.web.problems import Goodbye

Reason = Goodbye | EndReason

_DISCONNECTS = {reason: metrics.DISCONNECTS.labels(reason) for reason in (*Goodbye, *EndReason)}


class SubscriberRegistry:
    """All subscribers of this process, by the descriptor of their socket.

    No function awaits, so nothing changes between a check and the action that depends on it. An
    error of one connection never affects other connections.
    """

    def __init__(
        self,
        *,
        backlog_bytes: int,
        total_backlog_bytes: int,
        write_seconds: float,
        on_disconnect: Callable[[Subscriber, int, Reason], None] = lambda *_: None,
    ) -> None:
        self.hub: Hub[Subscriber] = Hub()
        self._on_disconnect = on_disconnect
        self._seq = 0
        self.last_join_seq = 0  # the `joined_at_seq` of the newest subscriber
        # Time of the last heartbeat. To save memory, all connections that start before the next
        # heartbeat share this object.
        self._now = time.monotonic()
        self.backlog_bytes = backlog_bytes
        self._turn = 0  # of the heartbeat
        # Index: descriptor. The kernel reports descriptors, and each heartbeat takes a slice.
        self._table: list[Subscriber | None] = []
        self._ids = ConnectionIds()
        self._poller = make_poller(self._on_ready)
        self.slow = SlowClients(
            self.disconnect,
            self._poller.waiting,
            backlog_bytes=backlog_bytes,
            total_backlog_bytes=total_backlog_bytes,
            write_seconds=write_seconds,
        )
        self.count = 0
        # Read when /metrics is read, because two updates for each connection would cost more.
        metrics.CONNECTIONS.set_function(lambda: self.count)
        metrics.SUBSCRIPTIONS.set_function(lambda: self.hub.subscriptions)

    def register(self, subscriber: Subscriber) -> None:
        """Start to watch a new connection. It gets no live events until `go_live`."""
        missing = subscriber.fd + 1 - len(self._table)
        self._table.extend([None] * max(0, missing))
        self._table[subscriber.fd] = subscriber
        self._ids.begin(subscriber.fd)
        subscriber.joined_at = self._now
        self._poller.add(subscriber.fd)
        self.count += 1

    def go_live(self, subscriber: Subscriber, topics: Iterable[str], epoch: int = 0) -> None:
        """From now on the subscriber gets the events that are published to these topics.

        Raises ConnectionError if the subscriber has already disconnected, because nothing would
        remove it from the hub again.
        """
        if subscriber.fd < 0:
            raise ConnectionResetError("the subscriber is gone")
        subscriber.epoch = epoch
        subscriber.joined_at_seq = self.last_join_seq = self._seq
        self.hub.add(subscriber, topics)

    def next_seq(self) -> int:
        """The next sequence number, for a frame that is published now.

        A subscriber that joins after this call gets the event from its replay.
        """
        self._seq += 1
        return self._seq

    def next_turn(self) -> int:
        """Begin the next turn of the heartbeat. Returns its number."""
        self._turn += 1
        return self._turn

    def disconnect(self, subscriber: Subscriber, reason: Reason) -> None:
        """Close a connection and remove it. A second call does nothing."""
        if subscriber.fd < 0:
            return
        self._poller.remove(subscriber.fd)
        self._table[subscriber.fd] = None
        self.slow.discard(subscriber)
        topics = self.hub.remove(subscriber)
        subscriber.close(reset=reason == Goodbye.SLOW)
        self.count -= 1
        _DISCONNECTS[reason].inc()
        self._on_disconnect(subscriber, topics, reason)

    def send(self, subscriber: Subscriber, frame: bytes) -> bool:
        """Write a frame to one subscriber. False if this ended the connection."""
        self.deliver((subscriber,), Frame(frame))
        return subscriber.fd >= 0

    def write(self, subscriber: Subscriber, data: bytes) -> bool:
        """Write bytes that have the subscriber's encoding. False if this ended the connection."""
        self.deliver((subscriber,), EncodedFrames(data))
        return subscriber.fd >= 0

    def deliver(self, members: Iterable[Subscriber], frame: Frame, events: int = 0) -> None:
        """Write one frame, or several joined ones, to each subscriber that is still connected.

        `events` is the number of events in `frame`.
        """
        now, plain = time.monotonic(), frame.plain
        for subscriber in members:
            if subscriber.fd < 0:
                continue
            data = frame.encoded(subscriber.encoding) if subscriber.encoding else plain
            try:
                subscriber.write(data, now)
            except OSError:
                self.disconnect(subscriber, EndReason.GONE)
                continue
            subscriber.events += events
            subscriber.written_in = self._turn
            if subscriber.backlog is not None:
                self.slow.add(subscriber)

    def slice(self, part: int, parts: int) -> list[Subscriber]:
        """The connections whose descriptor modulo `parts` is `part`."""
        return [s for s in self._table[part::parts] if s is not None]

    def everyone(self) -> list[Subscriber]:
        """All connections, including those that are still replaying."""
        return [s for s in self._table if s is not None]

    def between(self, start: int, end: int) -> Iterator[Subscriber]:
        """The connections with descriptors from `start` up to but not including `end`, in order."""
        return (s for s in self._table[start:end] if s is not None)

    @property
    def descriptors(self) -> int:
        """All connections have descriptors below this number."""
        return len(self._table)

    def id_of(self, subscriber: Subscriber) -> str:
        """The id of a connection that has not ended. The client gets it as `clientId`."""
        return self._ids.id_of(subscriber.fd)

    def find(self, connection_id: str) -> Subscriber | None:
        """The connection with this id; None if there is none, or if it has ended."""
        fd = self._ids.descriptor_of(connection_id)
        return None if fd is None else self._table[fd]

    def check_slow(self) -> None:
        """End connections that accepted no data for too long. Measure the backlog of the others."""
        self._now = time.monotonic()
        self.slow.check(self._now)

    def _on_ready(self, fd: int, gone: bool) -> None:
        subscriber = self._table[fd] if fd < len(self._table) else None
        if subscriber is None:
            return
        if gone:
            self.disconnect(subscriber, EndReason.GONE)
        elif subscriber.backlog is not None:
            self.slow.flush(subscriber)

    def close(self) -> None:
        """End all connections at once."""
        for subscriber in self.everyone():
            self.disconnect(subscriber, EndReason.SHUTDOWN)
        self._poller.close()
