"""Takes a connection over from aiohttp: a response that writes nothing, and our own descriptor.

See docs/decisions/0005-sockets-leave-aiohttp.md.
"""

from __future__ import annotations

import asyncio
import os

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter


class DetachedResponse(web.StreamResponse):
    """The response for aiohttp after the take-over: it writes nothing and closes its descriptor."""

    def __init__(self) -> None:
        super().__init__()
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Does nothing: the head has been written already."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Does nothing: the body continues without aiohttp."""


def duplicate_fd(request: web.Request) -> int:
    """A duplicate of the connection's descriptor. aiohttp closes its own after the handler.

    Raises CancelledError when the client has disconnected already.
    """
    if request.transport is None:
        raise asyncio.CancelledError
    return os.dup(request.transport.get_extra_info("socket").fileno())
