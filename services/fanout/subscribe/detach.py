"""Taking a connection over from aiohttp: what it is told, and a descriptor of our own."""

from __future__ import annotations

import asyncio
import os

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter


class DetachedResponse(web.StreamResponse):
    """What aiohttp is told when its connection has been taken over: write nothing, close yours."""

    def __init__(self) -> None:
        super().__init__()
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """The head has been written already."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """The body goes on without aiohttp."""


def duplicate_fd(request: web.Request) -> int:
    """A duplicate of the connection's descriptor; aiohttp closes its one after the handler.

    Raises CancelledError when the client left before we looked.
    """
    if request.transport is None:
        raise asyncio.CancelledError
    return os.dup(request.transport.get_extra_info("socket").fileno())
