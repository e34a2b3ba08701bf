"""A connection of a server, with deadlines for its requests and its answers.

aiohttp has one timeout for new and idle connections. It must be long, because gateways keep idle
connections. So this class measures what aiohttp does not: incomplete heads, incomplete bodies, and
answers that the client does not read.

See docs/decisions/0072-requests-and-answers-end-in-time.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from shared.web.problems import Problem, Slug
from shared.web.tcp_reset import reset_when_closed

_HEAD_ENDS = (b"\r\n\r\n", b"\n\n")


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Limits of every connection. All times are in seconds."""

    head: float = 10.0
    """From the first byte of a request to the end of its head. For a new connection: from its
    start."""
    body: float = 20.0
    """From the end of the head to the end of the body."""
    progress: float = 20.0
    """Until the client accepts some more bytes of an answer."""
    answer: float = 60.0
    """Until the client has accepted a whole answer, or one part of an answer in parts."""


class Connection(web.RequestHandler):
    """One connection. `on_pause` is called when the client is slower than its answer."""

    __slots__ = (
        "_body",
        "_body_from",
        "_deadlines",
        "_head_from",
        "_on_pause",
        "_progress_at",
        "_socket",
        "_unsent",
        "answer_from",
    )

    def __init__(
        self,
        server: web.Server,
        deadlines: Deadlines,
        on_pause: Callable[[], None],
        **options: Any,
    ) -> None:
        super().__init__(server, **options)
        self._deadlines = deadlines
        self._on_pause = on_pause
        self._socket: asyncio.Transport | None = None  # aiohttp drops its own reference early
        self._head_from: float | None = None  # since when a head is incomplete
        self._body: StreamReader = EMPTY_PAYLOAD  # the newest body
        self._body_from = 0.0
        self._unsent = 0
        self._progress_at = 0.0
        self.answer_from: float | None = None  # since when bytes of an answer wait for the client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first head."""
        self._socket = cast(asyncio.Transport, transport)  # uvloop has its own class
        self._head_from = self._loop.time()
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the socket."""
        self._socket = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse a piece of a request, and note whether a head is incomplete after it."""
        body, count, received = self._body, self._request_count, self._body.total_bytes
        in_body = not body.is_eof()
        super().data_received(data)
        if not data:  # aiohttp parses again what it had kept
            return
        heads = self._request_count - count
        if heads and self._messages:
            _, self._body = self._messages[-1]
            self._body_from = self._loop.time()
        if not self._body.is_eof():
            self._head_from = None
        elif in_body:
            is_exact = body.total_bytes - received == len(data)
            self._note_head(whole=not heads and (is_exact or data.endswith(_HEAD_ENDS)))
        elif heads:
            self._note_head(whole=data.endswith(_HEAD_ENDS) or self._is_whole(data, heads))
        elif data.strip(b"\r\n"):
            self._note_head(whole=False)

    def _is_whole(self, data: bytes, heads: int) -> bool:
        """True if these bytes end one head, and contain its whole body and nothing after it."""
        head = data.find(_HEAD_ENDS[0]) + len(_HEAD_ENDS[0])
        return heads == 1 and head + self._body.total_bytes == len(data)

    def _note_head(self, *, whole: bool) -> None:
        """Begin to wait for the rest of a head, or note that none is incomplete."""
        if whole:
            self._head_from = None
        elif self._head_from is None:
            self._head_from = self._loop.time()

    def pause_writing(self) -> None:
        """Many bytes wait for the client."""
        super().pause_writing()
        self._note_unsent(self._loop.time())
        self._on_pause()

    def resume_writing(self) -> None:
        """The client accepted nearly everything. An answer in parts goes on with its next part."""
        super().resume_writing()
        self.answer_from = None

    @property
    def unsent(self) -> int:
        """Bytes of answers that the kernel has not accepted yet."""
        return self._socket.get_write_buffer_size() if self._socket else 0

    def check(self, now: float) -> None:
        """End the connection, or its current request, if a deadline has passed."""
        if self._is_late_to_read(now):
            self.abort()
        elif self._is_late_head(now):
            self.force_close()
        elif not self._body.is_eof() and now - self._body_from > self._deadlines.body:
            self._refuse_body()

    def _is_late_head(self, now: float) -> bool:
        return (
            self._head_from is not None
            and self._current_request is None
            and now - self._head_from > self._deadlines.head
        )

    def _is_late_to_read(self, now: float) -> bool:
        self._note_unsent(now)
        return self.answer_from is not None and (
            now - self._progress_at > self._deadlines.progress
            or now - self.answer_from > self._deadlines.answer
        )

    def _note_unsent(self, now: float) -> None:
        before, self._unsent = self._unsent, self.unsent
        if not self._unsent:
            self.answer_from = None
        elif self.answer_from is None:
            self.answer_from = self._progress_at = now
        elif self._unsent < before:
            self._progress_at = now

    def _refuse_body(self) -> None:
        """The handler that reads the body raises Problem 408. Then the connection closes."""
        body, self._body = self._body, EMPTY_PAYLOAD
        if self._current_request is None:  # aiohttp has answered, and skips the rest of the body
            self.force_close()
            return
        self._lingering_time = 0
        detail = f"The body did not arrive within {self._deadlines.body:g} s."
        body.set_exception(Problem(408, Slug.MALFORMED, detail, headers={"Connection": "close"}))

    def abort(self) -> None:
        """End the connection at once. Neither the process nor the kernel keeps unsent bytes."""
        if self._socket is not None:
            reset_when_closed(self._socket.get_extra_info("socket"))
            self._socket.abort()
