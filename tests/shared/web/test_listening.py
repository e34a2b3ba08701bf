"""The options of sockets that a service accepts."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from shared.web.listening import listen

pytestmark = pytest.mark.io


@contextmanager
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client with a small receive buffer, and the socket that the service accepted."""
    with listen("127.0.0.1", 0) as listening, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(listening.getsockname())
        accepted, _ = listening.accept()
        with accepted:
            yield client, accepted


def test_connections_to_vanished_peers_close_within_a_minute() -> None:
    with connection() as (_, accepted):
        option = accepted.getsockopt
        assert option(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle, every, times = (
            option(socket.IPPROTO_TCP, getattr(socket, f"TCP_KEEP{name}"))
            for name in ("IDLE", "INTVL", "CNT")
        )
        assert idle + every * times <= 60
        assert 0 < option(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 60_000


def test_the_kernel_holds_little_for_a_client_that_does_not_read() -> None:
    """Without the options it is megabytes (net.ipv4.tcp_wmem)."""
    with connection() as (_, accepted):
        accepted.setblocking(False)
        assert 64 << 10 <= accepted.send(b"x" * (8 << 20)) < 256 << 10


def test_the_kernel_holds_a_bounded_number_of_sent_bytes() -> None:
    """A client that acknowledges nothing makes it hold sent bytes too."""
    with connection() as (_, accepted):
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 1 << 20
