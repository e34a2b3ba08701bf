"""The listening socket of a service. Accepted sockets inherit its options.

See docs/decisions/0071-unsent-bytes-are-bounded.md.
"""

from __future__ import annotations

import socket

import structlog

log = structlog.get_logger()

BACKLOG = 4096
"""Connections that the kernel queues until the service accepts them."""
_UNSENT_BYTES = 64 << 10
"""With so many unsent bytes, the kernel accepts no more. A fast reader is not slowed down."""
_SEND_BUFFER_BYTES = 512 << 10
"""The kernel holds at most twice as much for a connection, including bytes that it has sent.

Otherwise a client that acknowledges nothing could make it hold 4 MB (net.ipv4.tcp_wmem).
"""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Logs an error and exits with code 1 when the address cannot be used.

    `::` listens on IPv6 and IPv4 if the machine supports both.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()
    try:
        sock = socket.create_server(
            (host, port), backlog=BACKLOG, family=family, dualstack_ipv6=both
        )
    except OSError as error:
        log.error("cannot_listen", host=host, port=port, error=str(error))
        raise SystemExit(1) from None
    _detect_dead_peers(sock)
    _bound_unsent_bytes(sock)
    return sock


def _detect_dead_peers(sock: socket.socket) -> None:
    """Close connections to vanished peers within a minute. Accepted sockets inherit the options."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 20)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 45_000)


def _bound_unsent_bytes(sock: socket.socket) -> None:
    """Bound what the kernel holds for a client that does not read."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
