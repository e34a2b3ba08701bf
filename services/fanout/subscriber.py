"""A subscriber: one SSE connection after its socket left aiohttp, a descriptor and its backlog.

In steady state nothing is kept but the descriptor: a frame goes out in one write that never blocks.
When the kernel takes no more, the rest waits in a bounded backlog until the socket drains.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque

_IOV = 64
"""Frames handed to the kernel in one writev."""


class Subscriber:
    """A connection's write side. `fd` is its own duplicate; -1 once closed."""

    __slots__ = ("_waiter", "backlog", "backlog_bytes", "epoch", "fd", "progress_at", "types")

    def __init__(self, fd: int, types: frozenset[str]) -> None:
        self.fd = fd
        self.types = types or None
        self.epoch = 0  # the feed's, when it joined
        self.backlog: deque[memoryview | bytes] | None = None
        self.backlog_bytes = 0
        self.progress_at = 0.0  # when the kernel last took a byte of the backlog
        self._waiter: asyncio.Future[None] | None = None

    def wants(self, event_type: str) -> bool:
        """Whether the subscription's type filter lets this event through."""
        return self.types is None or event_type in self.types

    def write(self, frame: bytes, now: float) -> None:
        """Send one or more whole frames, or as much as the kernel takes and the rest later.

        Raises OSError when the peer is gone. The caller bounds `backlog_bytes`.
        """
        if self.backlog is not None:
            self._keep(frame, len(frame))
            return
        try:
            sent = os.write(self.fd, frame)
        except BlockingIOError:
            sent = 0
        if sent < len(frame):
            self.backlog = deque()
            self.progress_at = now
            self._keep(memoryview(frame)[sent:] if sent else frame, len(frame) - sent)

    def _keep(self, frame: memoryview | bytes, size: int) -> None:
        assert self.backlog is not None
        self.backlog.append(frame)
        self.backlog_bytes += size

    def flush(self, now: float) -> None:
        """Write the backlog out as far as the kernel takes it. Raises OSError like `write`."""
        while self.backlog:
            try:
                sent = os.writev(
                    self.fd, [self.backlog[i] for i in range(min(_IOV, len(self.backlog)))]
                )
            except BlockingIOError:
                return
            self.progress_at = now
            self._forget(sent)
        self.backlog = None
        self._wake()

    def _forget(self, sent: int) -> None:
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
        """Wait until the backlog is empty. Raises ConnectionError when closed meanwhile."""
        while self.backlog is not None and self.fd >= 0:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self.fd < 0:
            raise ConnectionResetError("the subscriber is gone")

    def close(self) -> None:
        """Close the descriptor and drop the backlog; whoever waits is told."""
        fd, self.fd = self.fd, -1
        self.backlog, self.backlog_bytes = None, 0
        if fd >= 0:
            os.close(fd)
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
