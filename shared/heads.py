"""How long the head of a request may be, and the answer to one that is longer.

aiohttp limits a line and the number of lines, but not the whole head, and answers 400 to what RFC
6585 (5) has 431 for.
"""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from shared.problems import Problem, Slug

LINE_BYTES = 72 << 10
"""A head of 64 KB passes, all of it in one line too, with what a gateway adds to the line."""

_HEAD_BYTES = 2 * LINE_BYTES


def limit_heads(runner: web.AppRunner) -> None:
    """Let a runner's connections refuse heads that are too long; it is set up already."""
    assert runner.server
    runner.server.__class__ = _Server


def _problem() -> Problem:
    detail = "the head of a request may have 64 KB"
    return Problem(431, Slug.TOO_LARGE, detail, headers={"Connection": "close"})


class _Connection(web.RequestHandler):
    """Counts what comes while it waits for a request."""

    __slots__ = ("_head_bytes",)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._head_bytes = 0

    def data_received(self, data: bytes) -> None:
        waiting = self._waiter is not None
        super().data_received(data)
        still_waiting = waiting and not self._messages
        self._head_bytes = self._head_bytes + len(data) if still_waiting else 0
        if self._head_bytes > _HEAD_BYTES:
            self._refuse()

    def _refuse(self) -> None:
        if self.transport:
            body: bytes = _problem().response().body  # type: ignore[assignment]
            head = (
                "HTTP/1.1 431 Request Header Fields Too Large\r\n"
                "Content-Type: application/problem+json\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if not isinstance(exc, LineTooLong):
            return super().handle_error(request, status, exc, message)
        response = _problem().response()
        response.force_close()
        return response


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)
