"""A subscriber: an SSE connection whose socket has left aiohttp. It has a descriptor and a backlog.

A frame is sent in one call that never blocks. If the kernel does not accept the whole frame, the
rest waits in a bounded backlog. Most subscribers have no backlog.

See docs/decisions/0005-sockets-leave-aiohttp.md, docs/decisions/0092-no-compiled-part.md.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque

from services.fanout.connections.limits import ConnectionLease
from services.fanout.frame import Encoding
from shared.auth.principal import ANYONE, Principal
from shared.domain.events import LOSS_TYPES
from shared.domain.position import START
from shared.domain.topics import user_topic
from shared.journal.wire import JournalEntry
from shared.web.tcp_reset import reset_when_closed

_IOV = 64
"""The most frames that one writev hands to the kernel."""


class Subscriber:
    """The write side of a connection.

    It owns a socket without a time-out. `fd` is the descriptor of this socket, or -1 after `close`.
    """

    __slots__ = (
        "_socket",
        "_waiter",
        "backlog",
        "backlog_bytes",
        "behind_since",
        "due_at",
        "encoding",
        "epoch",
        "events",
        "expiry_notified",
        "fd",
        "joined_at",
        "joined_at_seq",
        "lease",
        "max_age_at",
        "principal",
        "progress_at",
        "required_topic",
        "since",
        "takes_all",
        "types",
        "written_in",
    )

    def __init__(
        self,
        sock: socket.SocketType,
        types: frozenset[str] = frozenset(),
        principal: Principal = ANYONE,
        encoding: Encoding = Encoding.PLAIN,
    ) -> None:
        self._socket = sock
        self.fd = sock.fileno()
        self.encoding = encoding
        self.principal = principal
        # An event must have this topic to be visible to the account. None: all events are visible.
        self.required_topic = None if principal.may_see_all() else user_topic(principal.account)
        self.lease: ConnectionLease | None = None
        self.joined_at = 0.0  # monotonic time of the heartbeat before it connected
        self.joined_at_seq = 0  # sequence number of the last frame published before `go_live`
        self.due_at = 0  # monotonic second in which its token or age is checked; 0: not soon
        self.max_age_at = 0.0  # monotonic time at which it has its maximum age; 0: never
        self.expiry_notified = False  # True after the notice that its token expires soon
        self.events = 0  # number of events that it got
        self.written_in = 0  # the heartbeat's turn in which data was last written to it
        self.since = START  # its events began after this position
        self.types = types or None
        # True if it gets every event of its topics.
        self.takes_all = self.types is None and self.required_topic is None
        self.epoch = 0  # the feed's epoch when it joined
        self.backlog: deque[memoryview | bytes] | None = None
        self.backlog_bytes = 0
        self.behind_since = 0.0  # when its backlog began
        self.progress_at = 0.0  # when the kernel last accepted data of the backlog
        self._waiter: asyncio.Future[None] | None = None

    def wants(self, entry: JournalEntry) -> bool:
        """True if the subscriber gets this event, which has one of its topics.

        The event must pass the type filter, and the account must be allowed to see the event.
        Parties are checked at each delivery, because a stream can get new parties. Events about
        losses pass every type filter, because the lost events may have had any type.
        """
        if self.types is not None and entry.type not in self.types:
            return entry.type in LOSS_TYPES
        required = self.required_topic
        return required is None or not entry.topics or required in entry.topics

    def write(self, frame: bytes, now: float) -> None:
        """Send one or more whole frames. Keep what the kernel does not accept in the backlog.

        Raises OSError when the peer is gone. The caller limits `backlog_bytes`.
        """
        if self.backlog is not None:
            self._buffer(frame, len(frame))
            return
        try:
            sent = self._socket.send(frame)  # costs less than os.write (decision 92)
        except BlockingIOError:
            sent = 0
        if sent < len(frame):
            self.backlog = deque()
            self.progress_at = self.behind_since = now
            self._buffer(memoryview(frame)[sent:] if sent else frame, len(frame) - sent)

    def _buffer(self, frame: memoryview | bytes, size: int) -> None:
        assert self.backlog is not None
        self.backlog.append(frame)
        self.backlog_bytes += size

    def flush(self, now: float) -> None:
        """Write as much of the backlog as the kernel accepts. Raises OSError like `write`."""
        while self.backlog:
            try:
                sent = os.writev(
                    self.fd, [self.backlog[i] for i in range(min(_IOV, len(self.backlog)))]
                )
            except BlockingIOError:
                return
            self.progress_at = now
            self._drop_sent(sent)
        self.backlog = None
        self._wake()

    def _drop_sent(self, sent: int) -> None:
        assert self.backlog is not None
        self.backlog_bytes -= sent
        while sent:
            first = self.backlog[0]
            if len(first) > sent:
                self.backlog[0] = memoryview(first)[sent:]
                return
            sent -= len(first)
            self.backlog.popleft()

    async def drained(self) -> None:
        """Wait until the backlog is empty. Raises ConnectionError if the subscriber is closed."""
        while self.backlog is not None and self.fd >= 0:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self.fd < 0:
            raise ConnectionResetError("the subscriber is gone")

    def close(self, *, reset: bool = False) -> None:
        """Close the socket, drop the backlog, and wake the coroutine in `drained`.

        With `reset`, the kernel drops what it has not sent (shared.web.tcp_reset).
        """
        if reset and self.fd >= 0:
            reset_when_closed(self._socket)
        self._socket.close()
        self.fd = -1
        self.backlog, self.backlog_bytes = None, 0
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
