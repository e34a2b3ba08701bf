"""Both pollers report a writable socket and a closed peer, and nothing after `remove`."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

import pytest
import uvloop

from services.fanout.connections.poller import EpollPoller, LoopPoller, make_poller
from tests.support.waiting import until

KINDS = [
    LoopPoller,
    pytest.param(EpollPoller, marks=pytest.mark.skipif(sys.platform != "linux", reason="epoll")),
]
Kind: TypeAlias = type[LoopPoller] | type[EpollPoller]
Main: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
Run: TypeAlias = Callable[[Main], None]

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    def run(main: Main) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(main())

    return run


class PollerRecorder:
    """A poller and its reports as pairs (descriptor, peer is gone)."""

    def __init__(self, kind: Kind) -> None:
        self.reports: list[tuple[int, bool]] = []
        self._calls = 0
        loop = asyncio.get_running_loop()
        self.poller = kind(loop, lambda fd, gone: self.reports.append((fd, gone)))

    def nth_call(self, n: int) -> bool:
        """True at every n-th call. `until` then waits for n turns of the event loop."""
        self._calls += 1
        return self._calls % n == 0

    def pair(self) -> tuple[socket.socket, socket.socket]:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        self.poller.add(ours.fileno())
        return ours, theirs


def fill(sock: socket.socket) -> None:
    try:
        while True:
            sock.send(b"x" * 65536)
    except BlockingIOError:
        pass


def empty(sock: socket.socket) -> None:
    try:
        while sock.recv(1 << 20):
            pass
    except BlockingIOError:
        pass


def test_a_full_socket_is_reported_when_it_is_writable_again(kind: Kind, run: Run) -> None:
    async def main() -> None:
        recorder = PollerRecorder(kind)
        ours, theirs = recorder.pair()
        for _ in range(3):
            fill(ours)
            recorder.poller.waiting(ours.fileno())
            await until(lambda: recorder.nth_call(10))  # earlier reports arrive first
            recorder.reports.clear()
            empty(theirs)
            await until(lambda: (ours.fileno(), False) in recorder.reports)
        assert not any(gone for _, gone in recorder.reports)
        recorder.poller.remove(ours.fileno())
        recorder.poller.close()
        ours.close()
        theirs.close()

    run(main)


@pytest.mark.parametrize("how", ["close", "half"])
def test_a_closed_peer_is_reported(kind: Kind, run: Run, how: str) -> None:
    async def main() -> None:
        recorder = PollerRecorder(kind)
        ours, theirs = recorder.pair()
        theirs.close() if how == "close" else theirs.shutdown(socket.SHUT_WR)
        await until(lambda: (ours.fileno(), True) in recorder.reports)
        recorder.poller.remove(ours.fileno())
        recorder.poller.close()
        ours.close()
        theirs.close()

    run(main)


def test_a_peer_that_closed_before_add_is_reported(kind: Kind, run: Run) -> None:
    async def main() -> None:
        recorder = PollerRecorder(kind)
        ours, theirs = socket.socketpair()
        theirs.close()
        recorder.poller.add(ours.fileno())
        await until(lambda: (ours.fileno(), True) in recorder.reports)
        recorder.poller.close()
        ours.close()

    run(main)


def test_after_remove_nothing_is_reported_for_a_reused_descriptor(kind: Kind, run: Run) -> None:
    async def main() -> None:
        recorder = PollerRecorder(kind)
        ours, theirs = recorder.pair()
        other, its_peer = recorder.pair()
        fd = ours.fileno()
        recorder.poller.remove(fd)
        theirs.close()
        ours.close()
        fresh, fresh_peer = socket.socketpair()  # gets the descriptor number that was just freed
        assert fd in (fresh.fileno(), fresh_peer.fileno())
        fresh.close()
        fresh_peer.close()
        its_peer.close()
        await until(lambda: (other.fileno(), True) in recorder.reports)
        assert fd not in [reported for reported, _ in recorder.reports]
        recorder.poller.close()
        other.close()

    run(main)


async def test_linux_uses_the_epoll_poller() -> None:
    poller = make_poller(lambda fd, gone: None)
    assert isinstance(poller, EpollPoller if sys.platform == "linux" else LoopPoller)
    poller.close()
