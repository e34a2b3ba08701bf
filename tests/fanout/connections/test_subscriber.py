"""A subscriber on a socket with small buffers keeps the byte order and the exact backlog size."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Iterator

import pytest

from services.fanout.connections.subscriber import Subscriber
from shared.auth.principal import ANYONE, Principal, Scope
from shared.journal.wire import JournalEntry
from tests.fanout.peers import NO_SOCKET
from tests.fanout.turns import turn


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    for sock, option in ((ours, socket.SO_SNDBUF), (theirs, socket.SO_RCVBUF)):
        sock.setsockopt(socket.SOL_SOCKET, option, 4096)
        sock.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


def subscriber_of(sock: socket.socket) -> Subscriber:
    return Subscriber(sock.dup())


def read(sock: socket.socket, most: int) -> bytes:
    try:
        return sock.recv(most)
    except BlockingIOError:
        return b""


@pytest.mark.parametrize("seed", range(8))
def test_all_bytes_arrive_in_order_when_the_kernel_accepts_a_part(
    pair: tuple[socket.socket, socket.socket], seed: int
) -> None:
    ours, theirs = pair
    rng = random.Random(seed)
    subscriber = subscriber_of(ours)
    sent, got, now = bytearray(), bytearray(), 0.0
    for _ in range(400):
        now += 1
        match rng.randrange(4):
            case 0 | 1:
                frame = rng.randbytes(rng.choice((1, 30, 700, 9000)))
                sent += frame
                subscriber.write(frame, now)
            case 2:
                got += read(theirs, rng.choice((1, 500, 20_000)))
            case 3 if subscriber.backlog is not None:
                before = subscriber.backlog_bytes
                subscriber.flush(now)
                assert (subscriber.progress_at == now) is (subscriber.backlog_bytes < before)
        kept = sum(map(len, subscriber.backlog or ()))
        assert subscriber.backlog_bytes == kept
        assert (subscriber.backlog is None) is (kept == 0)
    while len(got) < len(sent):
        got += read(theirs, 1 << 16)
        subscriber.flush(now)
    assert got == sent
    assert subscriber.backlog is None
    subscriber.close()


def test_a_backlog_of_hundreds_of_frames_is_sent_in_several_writes(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    subscriber = subscriber_of(ours)
    frames = [f"{n:06}".encode() for n in range(3000)]
    for frame in frames:
        subscriber.write(frame, 1.0)
    assert subscriber.backlog is not None
    got = b""
    while subscriber.backlog is not None:
        got += read(theirs, 1 << 16)
        subscriber.flush(2.0)
    got += read(theirs, 1 << 16)
    assert got == b"".join(frames)
    subscriber.close()


def test_a_write_to_a_closed_peer_raises_os_error(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    subscriber = subscriber_of(ours)
    theirs.close()
    with pytest.raises(BrokenPipeError):
        subscriber.write(b"x", 0.0)
    subscriber.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        subscriber.write(b"x", 0.0)


async def test_drained_waits_for_the_backlog_and_fails_when_closed(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    subscriber = subscriber_of(ours)
    await subscriber.drained()
    subscriber.write(b"x" * 100_000, 0.0)
    waiting = asyncio.create_task(subscriber.drained())
    while subscriber.backlog is not None:
        assert not waiting.done()
        read(theirs, 1 << 16)
        subscriber.flush(1.0)
        await turn()
    await waiting
    subscriber.write(b"x" * 200_000, 2.0)
    waiting = asyncio.create_task(subscriber.drained())
    await turn()
    subscriber.close()
    with pytest.raises(ConnectionError):
        await waiting
    assert (subscriber.backlog, subscriber.backlog_bytes) == (None, 0)
    subscriber.close()  # a second close does nothing


def entry(kind: str, *topics: str) -> JournalEntry:
    return JournalEntry("1-0", "0-0", kind, topics, b"{}")


def test_a_type_filter_passes_only_its_types() -> None:
    created, paused = entry("stream.created", "7"), entry("stream.paused", "7")
    assert Subscriber(NO_SOCKET, frozenset()).wants(created)
    assert Subscriber(NO_SOCKET, frozenset({"stream.created"})).wants(created)
    assert not Subscriber(NO_SOCKET, frozenset({"stream.created"})).wants(paused)
    lost = entry("chain.gap")
    assert Subscriber(NO_SOCKET, frozenset({"stream.created"})).wants(lost), "it may have held some"


def test_an_event_passes_to_its_parties_and_to_admins() -> None:
    event, broadcast = entry("stream.created", "7", "user:GA"), entry("contract.initialized")
    party, other = Principal("GA", frozenset()), Principal("GB", frozenset())
    reader = Principal("GB", frozenset({Scope.EVENTS_ALL}))
    for who, sees in ((ANYONE, True), (party, True), (reader, True), (other, False)):
        subscriber = Subscriber(NO_SOCKET, frozenset(), who)
        assert subscriber.wants(event) is sees is who.may_see(event.topics)
        assert subscriber.wants(broadcast)
