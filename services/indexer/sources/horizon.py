"""Horizon: all transactions over SSE, by a loop of our own.

The SDK's streaming loses data on a malformed frame, an in-band error and a dropped connection
(docs/decisions.md 9). Here the cursor is the caller's: it moves when a batch was kept, and every
other end of a connection is a new start from there.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import aiohttp

from services.indexer.records import Malformed, Record, parse_record
from services.indexer.sources import Batch, SourceError, SourceFatal
from services.indexer.sources.frames import Frame, FrameParser, FrameTooLong
from services.indexer.sources.history import History
from services.indexer.sources.http import SSE, get, parse_object
from services.indexer.sources.rpc import Rpc
from services.indexer.suspects import Suspects
from services.indexer.transactions import MetaMissing, Reading, Watched
from shared.positions import toid

_PAGE = 200


class Horizon:
    """A source (services.indexer.sources)."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        *,
        passphrase: str,
        contract: Watched,
        rpc: Rpc | None,
        read_seconds: float,
        opened: Callable[[], None] = lambda: None,
    ) -> None:
        """`opened` is called whenever Horizon has begun to stream."""
        self._session = session
        self._url = url
        self._rpc = rpc
        self._opened = opened
        self._suspects = Suspects(contract)
        self._history = History(session, url, passphrase, min(10.0, read_seconds))
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=read_seconds)

    async def start(self, where: str) -> int:
        """TOID to begin at. `latest` is resolved here, once: `cursor=now` would lose events."""
        elder, latest = await self._history.ledgers()
        if where == "latest":
            return toid(latest + 1)
        if where == "earliest":
            return toid(elder)
        if not elder <= int(where) <= latest + 1:
            raise SourceFatal("start", f"START={where}: Horizon has ledgers {elder} to {latest}")
        return toid(int(where))

    async def batches(self, cursor: int) -> AsyncGenerator[Batch]:
        """See Source. Raises SourceError for another try, SourceFatal for an operator."""
        while True:
            await self._history.check(cursor)
            async with aclosing(self._stream(cursor)) as stream:
                async for batch in stream:
                    yield batch
                    cursor = batch.cursor

    # ── one connection ──

    async def _stream(self, cursor: int) -> AsyncGenerator[Batch]:
        url = f"{self._url}/transactions?cursor={cursor}&order=asc&limit={_PAGE}"
        async with get(self._session, url, self._timeout, SSE) as response:
            parser = FrameParser()
            first = True
            async for chunk in _chunks(response):
                chapter = _Chapter(cursor, first)
                trouble = await self._read(_frames(parser, chunk), chapter)
                if batch := chapter.batch():  # what came before the trouble is good
                    yield batch
                    cursor, first = batch.cursor, False
                if trouble:
                    raise trouble
                if chapter.ended:
                    return
        raise SourceError("dropped", "the stream ended without byebye")

    async def _read(self, frames: Sequence[Frame], chapter: _Chapter) -> Exception | None:
        """Read frames into the chapter until one of them is trouble."""
        try:
            for frame in frames:
                if frame.event == "close":
                    chapter.ended = True
                elif frame.event == "message":
                    await self._take(_record(frame), chapter)
                elif frame.event == "open":
                    self._opened()
                else:
                    raise SourceError("in_band", f"{frame.event}: {frame.data[:200]!r}")
        except (SourceError, SourceFatal) as error:
            return error
        return None

    async def _take(self, record: Record, chapter: _Chapter) -> None:
        if record.toid <= chapter.cursor:
            raise SourceError("disorder", f"{record.toid} came after {chapter.cursor}")
        if record.ledger > chapter.expected:
            await self._history.check_jump(chapter.cursor)
        try:
            self._suspects.read(record, chapter.reading)
        except MetaMissing:
            self._suspects.read(await self._with_meta(record), chapter.reading)
        chapter.last = record

    async def _with_meta(self, record: Record) -> Record:
        """Providers may leave the meta out (SKIP_TXMETA); RPC has it for some days."""
        if self._rpc is None:
            raise SourceFatal(
                "meta_missing", f"Horizon leaves metas out ({record.hash}): set RPC_URL"
            )
        return replace(record, meta=await self._rpc.meta(record.hash))


@dataclass(slots=True)
class _Chapter:
    """What one piece of the stream came to."""

    before: int
    first: bool
    reading: Reading = field(default_factory=Reading)
    last: Record | None = None
    ended: bool = False

    @property
    def cursor(self) -> int:
        return self.last.toid if self.last else self.before

    @property
    def expected(self) -> int:
        """The highest ledger that the next record can be of when none was left out.

        A connection may begin within a ledger; on it, a ledger with nothing in it is rare.
        """
        return (self.cursor >> 32) + (not self.first or self.last is not None)

    def batch(self) -> Batch | None:
        if (last := self.last) is None:
            return None
        reading = self.reading
        return Batch(reading.events, reading.dead, last.toid, last.ledger, last.closed_at)


async def _chunks(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes]:
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise SourceError("dropped", repr(error)) from error


def _frames(parser: FrameParser, chunk: bytes) -> Sequence[Frame]:
    try:
        return parser.feed(chunk)
    except FrameTooLong as error:
        raise SourceError("malformed", str(error)) from error


def _record(frame: Frame) -> Record:
    try:
        record = parse_record(parse_object(frame.data))
    except Malformed as error:
        raise SourceError("malformed", str(error)) from error
    if frame.id != str(record.toid):
        raise SourceError("malformed", f"frame {frame.id!r} holds transaction {record.toid}")
    return record
