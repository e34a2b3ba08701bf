"""Detaches a connection from aiohttp: the fanout goes on with a duplicate of its socket.

See docs/decisions/0005-sockets-leave-aiohttp.md.
"""

from __future__ import annotations

import asyncio
import os
import socket

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter


class DetachedResponse(web.StreamResponse):
    """The response for aiohttp: writes nothing, and makes aiohttp close its own descriptor."""

    def __init__(self) -> None:
        super().__init__()
        self.force_close()

    @property
    def prepared(self) -> bool:
        """True: no middleware needs to add headers."""
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Does nothing: the head has been written already."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Does nothing: the fanout writes the body to its own descriptor."""


def duplicate_socket(request: web.Request) -> socket.SocketType:
    """A duplicate of the connection's socket. aiohttp closes its own after the handler.

    SocketType is the base class of `socket.socket` and needs half as much memory. Only the calls
    for addresses use the family, so it is not looked up.

    Raises CancelledError when the client has disconnected already.
    """
    if request.transport is None:
        raise asyncio.CancelledError
    fd = os.dup(request.transport.get_extra_info("socket").fileno())
    return socket.SocketType(socket.AF_INET, socket.SOCK_STREAM, 0, fd)
