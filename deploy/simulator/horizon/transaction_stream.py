"""Horizon's stream of transactions, in the same SSE bytes. Gzip is flushed after every frame."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from deploy.simulator.app_keys import FAULT, FAULTS, NETWORK
from deploy.simulator.chain.ledger import Ledger, Transaction
from deploy.simulator.faults.faults import Fault, FaultKind
from deploy.simulator.faults.wire_faults import abort
from deploy.simulator.horizon.documents import record
from deploy.simulator.horizon.paging import PageQuery
from deploy.simulator.network import Network
from deploy.simulator.problems import ProblemError
from deploy.simulator.responses import base_url, to_json

HELLO = b'retry: 1000\nevent: open\ndata: "hello"\n\n'
BYEBYE = b'retry: 10\nevent: close\ndata: "byebye"\n\n'
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "Access-Control-Allow-Origin": "*",
}
GZIPS_STREAMS = 30
"""The first version of Horizon that compresses streams for clients that accept gzip.

Versions up to 28 compress only `application/hal+json`.
"""
DROP_BYTES = 64
"""The number of bytes that a slow stream sends at a time."""


def frame(shown: Transaction | Ledger, base: str) -> bytes:
    """A record as a frame of the stream. `base` is the start of the URLs in its links."""
    return b"id: %d\ndata: %s\n\n" % (shown.toid, to_json(record(shown, base)))


def error_frame(problem: ProblemError) -> bytes:
    """An error inside a stream. Its data is text, not JSON."""
    return f"event: error\ndata: {problem.line()}\n\n".encode()


async def stream(request: web.Request, query: PageQuery) -> web.StreamResponse:
    """Answer the query of a client that accepts `text/event-stream`."""
    settings = request.app[NETWORK].settings
    wire = StreamWriter(request, request.get(FAULT), gzip=settings.protocol >= GZIPS_STREAMS)
    await wire.open()
    await RecordStream(request, wire, query).run()
    return wire.response


class StreamEnded(Exception):
    """The stream has ended, and nothing more may be sent."""


class StreamWriter:
    """Writes to one client. Each `send` is flushed, and compressed if the client accepts gzip."""

    def __init__(self, request: web.Request, fault: Fault | None, *, gzip: bool) -> None:
        self.response = web.StreamResponse(headers=HEADERS)
        if request.keep_alive:
            self.response.headers["Connection"] = "keep-alive"
        self._request = request
        self._pause = fault.seconds if fault and fault.kind is FaultKind.SLOW else None
        self._gzip = None
        if gzip and "gzip" in request.headers.get("Accept-Encoding", ""):
            self._gzip = zlib.compressobj(wbits=31)
            self.response.headers["Content-Encoding"] = "gzip"

    async def open(self) -> None:
        """Send the head of the response, and the first frame."""
        await self.response.prepare(self._request)
        await self.send(HELLO)

    async def send(self, data: bytes) -> None:
        """Send the bytes and flush."""
        if self._gzip is not None:
            data = self._gzip.compress(data) + self._gzip.flush(zlib.Z_SYNC_FLUSH)
        if self._pause is None:
            await self.response.write(data)
            return
        for at in range(0, len(data), DROP_BYTES):
            await self.response.write(data[at : at + DROP_BYTES])
            await asyncio.sleep(self._pause)

    async def finish(self, last: bytes = b"") -> None:
        """Send the last frame and the end of the body. Raises StreamEnded."""
        if last:
            await self.send(last)
        if self._gzip is not None:
            await self.response.write(self._gzip.flush(zlib.Z_FINISH))
        await self.response.write_eof()
        raise StreamEnded

    async def abort(self) -> None:
        """Break the connection. Raises StreamEnded."""
        await abort(self._request)
        raise StreamEnded


class RecordStream:
    """The stream of one client: first the existing records after its cursor, then new ones."""

    def __init__(self, request: web.Request, wire: StreamWriter, query: PageQuery) -> None:
        self._network = request.app[NETWORK]
        self._faults = request.app[FAULTS]
        self._base = base_url(request)
        self._wire = wire
        self._query = query
        self._fault = request.get(FAULT)
        self._sent = 0

    async def run(self) -> None:
        """Send records until the query's limit or the end of the stream's time, then `byebye`."""
        try:
            await self._records()
            await self._wire.finish(BYEBYE)
        except StreamEnded:
            return

    async def _records(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._network.settings.stream_seconds
        with _woken_by(self._network) as woken:
            while self._sent < self._query.limit and loop.time() < deadline:
                await self._fault_between_frames()
                woken.clear()
                if not await self._next():
                    await self._wait(woken, deadline)
        await self._fault_between_frames()

    async def _next(self) -> bool:
        """Send the next record after the cursor. Returns False if there is none."""
        chain = self._faults.views.of("horizon", self._network.chain)
        found = next(iter(self._query.page(chain)), None)
        if found is None:
            return False
        data = frame(self._faults.shown("stream", found), self._base)
        await self._wire.send(await self._fault_inside_frame(data))
        self._query = self._query.after(found)
        self._sent += 1
        return True

    async def _wait(self, woken: asyncio.Event, deadline: float) -> None:
        """Wait until there may be a new ledger, or until the stream's time has ended."""
        poll = self._network.settings.stream_poll_seconds
        try:
            async with asyncio.timeout_at(deadline):
                await (asyncio.sleep(poll) if poll else woken.wait())
        except TimeoutError:
            return

    def _due(self, *kinds: FaultKind) -> Fault | None:
        fault = self._fault
        return fault if fault and fault.kind in kinds and self._sent >= fault.after else None

    async def _fault_between_frames(self) -> None:
        """Apply the fault that happens between two frames, if there is one."""
        fault = self._due(FaultKind.DROP, FaultKind.ERROR, FaultKind.BYEBYE, FaultKind.STALL)
        if fault is None:
            return
        match fault.kind:
            case FaultKind.DROP:
                await self._wire.abort()
            case FaultKind.ERROR:
                await self._wire.finish(error_frame(ProblemError(429)))
            case FaultKind.BYEBYE:
                await self._wire.finish(BYEBYE)
            case _:
                await asyncio.sleep(fault.seconds or float("inf"))
                self._fault = None

    async def _fault_inside_frame(self, data: bytes) -> bytes:
        """Apply the fault that happens inside a frame, if there is one."""
        if self._due(FaultKind.CUT):
            await self._wire.send(data[: len(data) // 2])
            await self._wire.abort()
        if self._due(FaultKind.MALFORMED):
            self._fault = None
            return data[: len(data) // 2] + b"\n\n"
        return data


@contextmanager
def _woken_by(network: Network) -> Iterator[asyncio.Event]:
    """An asyncio.Event that is set whenever a ledger closes."""
    woken = asyncio.Event()
    network.listeners.add(woken.set)
    try:
        yield woken
    finally:
        network.listeners.discard(woken.set)
