"""The poller asks the kernel which descriptors are writable again or lost their peer.

On Linux it is one edge-triggered epoll of our own, which the event loop watches as a single
descriptor. So a connection needs no transport, protocol or handle in Python
(docs/decisions/0005-sockets-leave-aiohttp.md). On other systems the loop watches each descriptor.
"""

from __future__ import annotations

import asyncio
import select
import sys
from collections.abc import Callable
from typing import Protocol

Ready = Callable[[int, bool], None]
"""Called with a descriptor and a flag. True: the peer is gone. False: it is writable again."""


class Poller(Protocol):
    """Watches descriptors from `add` until `remove`."""

    def add(self, fd: int) -> None:
        """Start to watch."""

    def remove(self, fd: int) -> None:
        """Stop watching. Call this before you close the descriptor."""

    def waiting(self, fd: int) -> None:
        """Report when the descriptor is writable. Call it if the kernel did not accept all data."""

    def close(self) -> None:
        """Stop watching everything."""


def make_poller(ready: Ready) -> Poller:
    """The best poller of this system."""
    loop = asyncio.get_running_loop()
    return EpollPoller(loop, ready) if sys.platform == "linux" else LoopPoller(loop, ready)


class EpollPoller:
    """Edge-triggered: the kernel reports once when a socket becomes writable."""

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
        """Start to watch."""
        self._epoll.register(fd, self._WATCH)

    def remove(self, fd: int) -> None:
        """Stop watching. Call this before you close the descriptor."""
        self._epoll.unregister(fd)

    def waiting(self, fd: int) -> None:
        """Does nothing: the kernel reports a writable socket without being asked."""

    def close(self) -> None:
        """Stop watching everything."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()


class LoopPoller:
    """Uses readers and writers of the event loop, on systems without epoll.

    Clients have nothing to send. When a socket is readable, the client closed it or sent unwanted
    data, and in both cases the connection is ended.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, ready: Ready) -> None:
        self._loop = loop
        self._ready = ready
        self._watched: set[int] = set()

    def add(self, fd: int) -> None:
        """Start to watch."""
        self._watched.add(fd)
        self._loop.add_reader(fd, self._ready, fd, True)

    def remove(self, fd: int) -> None:
        """Stop watching. Call this before you close the descriptor."""
        self._watched.discard(fd)
        self._loop.remove_reader(fd)
        self._loop.remove_writer(fd)

    def waiting(self, fd: int) -> None:
        """Report when the descriptor is writable. Call it if the kernel did not accept all data."""
        self._loop.add_writer(fd, self._drained, fd)

    def _drained(self, fd: int) -> None:
        self._loop.remove_writer(fd)
        self._ready(fd, False)

    def close(self) -> None:
        """Stop watching everything."""
        for fd in tuple(self._watched):
            self.remove(fd)
