"""aiohttp's connections, with a bound on the bytes of an answer and on the connections kept open.

aiohttp bounds each line of a head, but not how many interim answers (1xx) come before the answer,
nor what comes while nobody asked. A receiver could fill the memory or keep the parser busy.

See docs/decisions/0129-a-receiver-holds-up-no-other.md.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.streams import EMPTY_PAYLOAD

MOST_HEAD_BYTES = 16 * 1024
"""Status line and headers of an answer, with all interim answers before it."""


class AnswerTooLongError(aiohttp.ClientError):
    """The head of an answer, with its interim answers, is longer than MOST_HEAD_BYTES."""


class StaleConnectionError(aiohttp.ClientError):
    """The receiver closed a kept connection before it answered. A new connection may work.

    Servers close connections that were idle, and a request can cross the end on its way.
    """


class BoundedConnector(aiohttp.TCPConnector):
    """Keeps a connection for the next delivery, unless more than `most_open` are open."""

    def __init__(self, *, most_open: int, **options: Any) -> None:
        super().__init__(**options)
        self.open = 0
        self.most_open = most_open
        # aiohttp has no public way to set the protocol of a connection. A test notices if it
        # is not used any more: test_connector.py.
        made = partial(_Connection, self, loop=asyncio.get_running_loop())
        self._factory = cast(partial[ResponseHandler], made)


class _Connection(ResponseHandler):
    """One connection. The count of bytes begins anew with each request."""

    def __init__(self, connector: BoundedConnector, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._connector = connector
        self._requests = 0
        self._bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connector.open += 1
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connector.open -= 1
        super().connection_lost(exc)

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        is_reused = self._requests > 1 and not self._bytes
        if is_reused and isinstance(exc, aiohttp.ClientOSError | aiohttp.ServerDisconnectedError):
            super().set_exception(StaleConnectionError(), exc)
        else:
            super().set_exception(exc, *([] if exc_cause is None else [exc_cause]))

    def set_response_params(self, **options: Any) -> None:
        self._requests += 1
        self._bytes = 0
        super().set_response_params(**options)

    def data_received(self, data: bytes) -> None:
        room = max(0, MOST_HEAD_BYTES - self._bytes)
        self._bytes += len(data)
        if len(data) > room and not self._is_in_body():
            super().data_received(data[:room])
            data = data[room:]
            if not self._is_in_body():
                self.set_exception(AnswerTooLongError())
                if self.transport is not None:
                    self.transport.abort()
                return
        super().data_received(data)

    def _is_in_body(self) -> bool:
        """True until the body ends. aiohttp stops reading a body that nobody takes."""
        payload = self._payload
        return payload is not None and payload is not EMPTY_PAYLOAD and not payload.is_eof()

    @property
    def should_close(self) -> bool:
        return super().should_close or self._connector.open > self._connector.most_open
