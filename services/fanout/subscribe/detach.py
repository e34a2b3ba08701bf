"""Detaches a connection from aiohttp: the fanout goes on with a duplicate of its descriptor.

See docs/decisions/0005-sockets-leave-aiohttp.md.
"""

from __future__ import annotations

import asyncio
import os

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter


class DetachedResponse(web.StreamResponse):
    """The response for aiohttp: writes nothing, and makes aiohttp close its own descriptor."""

    def __init__(self) -> None:
        super().__init__()
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Does nothing: the head has been written already."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Does nothing: the fanout writes the body to its own descriptor."""


def duplicate_fd(request: web.Request) -> int:
    """A duplicate of the connection's descriptor. aiohttp closes its own after the handler.

    Raises CancelledError when the client has disconnected already.
    """
    if request.transport is None:
        raise asyncio.CancelledError
    return os.dup(request.transport.get_extra_info("socket").fileno())
