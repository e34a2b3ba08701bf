"""The poller: learns from the kernel which descriptors drained or lost their peer.

On Linux one epoll of our own, edge-triggered, watched by the loop as a single descriptor: a
connection costs no transport, no protocol and no handle in Python (docs/decisions.md 5). Elsewhere
the loop watches each descriptor itself.
"""

from __future__ import annotations

import asyncio
import select
import sys
from collections.abc import Callable
from typing import Protocol

Ready = Callable[[int, bool], None]
"""Called with a descriptor and whether its peer is gone (else: it takes bytes again)."""


class Poller(Protocol):
    """Watches descriptors from `add` until `remove`."""

    def add(self, fd: int) -> None:
        """Begin to watch."""

    def remove(self, fd: int) -> None:
        """Stop watching; to be called before the descriptor is closed."""

    def waiting(self, fd: int) -> None:
        """The descriptor took not all: tell when it takes more."""

    def close(self) -> None:
        """Stop watching everything."""


def make_poller(ready: Ready) -> Poller:
    """The best one that this system has."""
    loop = asyncio.get_running_loop()
    return EpollPoller(loop, ready) if sys.platform == "linux" else LoopPoller(loop, ready)


class EpollPoller:
    """Edge-triggered: one EPOLLOUT when the socket drains, without being asked each time."""

    _GONE = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
    _WATCH = select.EPOLLRDHUP | select.EPOLLOUT | select.EPOLLET

    def __init__(self, loop: asyncio.AbstractEventLoop, ready: Ready) -> None:
        self._loop = loop
        self._ready = ready
        self._epoll = select.epoll()
        loop.add_reader(self._epoll.fileno(), self._poll)

    def _poll(self) -> None:
        for fd, events in self._epoll.poll(0, 1024):
            self._ready(fd, bool(events & self._GONE))

    def add(self, fd: int) -> None:
        """Begin to watch."""
        self._epoll.register(fd, self._WATCH)

    def remove(self, fd: int) -> None:
        """Stop watching; to be called before the descriptor is closed."""
        self._epoll.unregister(fd)

    def waiting(self, fd: int) -> None:
        """Nothing to do: the kernel tells of every edge."""

    def close(self) -> None:
        """Stop watching everything."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()


class LoopPoller:
    """The loop's own readers and writers, for systems without epoll.

    What a client sends is never read, so readable means at its end or noisy: both end it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, ready: Ready) -> None:
        self._loop = loop
        self._ready = ready
        self._watched: set[int] = set()

    def add(self, fd: int) -> None:
        """Begin to watch."""
        self._watched.add(fd)
        self._loop.add_reader(fd, self._ready, fd, True)

    def remove(self, fd: int) -> None:
        """Stop watching; to be called before the descriptor is closed."""
        self._watched.discard(fd)
        self._loop.remove_reader(fd)
        self._loop.remove_writer(fd)

    def waiting(self, fd: int) -> None:
        """The descriptor took not all: tell when it takes more."""
        self._loop.add_writer(fd, self._drained, fd)

    def _drained(self, fd: int) -> None:
        self._loop.remove_writer(fd)
        self._ready(fd, False)

    def close(self) -> None:
        """Stop watching everything."""
        for fd in tuple(self._watched):
            self.remove(fd)
