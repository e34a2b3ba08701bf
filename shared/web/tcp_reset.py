"""Closing a TCP connection with a reset.

With an ordinary close, the kernel keeps unsent bytes for up to 45 s (TCP_USER_TIMEOUT), although
the client does not read.

See docs/decisions/0071-unsent-bytes-are-bounded.md.
"""

from __future__ import annotations

import socket
import struct

_LINGER = struct.pack("ii", 1, 0)
"""SO_LINGER is on, with 0 seconds (socket(7))."""


def reset_when_closed(sock: socket.SocketType) -> None:
    """When this socket is closed, the kernel drops its unsent bytes and resets the connection."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
