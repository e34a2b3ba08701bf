"""Horizon: all transactions over SSE, by a loop of our own.

The SDK's streaming loses data on a malformed frame, an in-band error and a dropped connection
(docs/decisions.md 9). Here the cursor is the caller's: it moves when a batch was kept, and every
other end of a connection is a new start from there.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from services.indexer import metrics
from services.indexer.sources import Batch, SourceError, SourceFatal
from services.indexer.sources.frames import Frame, FrameParser, FrameTooLong
from services.indexer.sources.http import get, parse_object, read_json
from services.indexer.sources.rpc import Rpc
from services.indexer.suspects import Suspects
from services.indexer.transactions import (
    Malformed,
    MetaMissing,
    Reading,
    Record,
    Watched,
    parse_record,
)
from shared.positions import toid

_SSE, _JSON = "text/event-stream", "application/json"
_PAGE = 200
_ROOT_EVERY = 10.0
"""Seconds between two looks at Horizon's root; each costs one of 3,600 requests an hour."""


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
    ) -> None:
        self._session = session
        self._url = url
        self._passphrase = passphrase
        self._rpc = rpc
        self._suspects = Suspects(contract)
        self._stream_timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=10, sock_read=read_seconds
        )
        self._root_timeout = aiohttp.ClientTimeout(total=min(10.0, read_seconds))
        self._root_at = -_ROOT_EVERY

    async def start(self, where: str) -> int:
        """TOID to begin at. `latest` is resolved here, once: `cursor=now` would lose events."""
        root = await self._root()
        latest, elder = root["history_latest_ledger"], root["history_elder_ledger"]
        if where == "latest":
            return toid(latest + 1)
        if where == "earliest":
            return toid(elder)
        if not elder <= int(where) <= latest + 1:
            raise SourceFatal("start", f"START={where}: Horizon has ledgers {elder} to {latest}")
        return toid(int(where))

    async def batches(self, cursor: int) -> AsyncIterator[Batch]:
        """See Source. Raises SourceError for another try, SourceFatal for an operator."""
        while True:
            await self._check_history(cursor)
            async for batch in self._stream(cursor):
                yield batch
                cursor = batch.cursor

    # ── is it the history that the cursor is of ──

    async def _root(self) -> dict[str, Any]:
        async with get(self._session, f"{self._url}/", self._root_timeout, _JSON) as response:
            root = await read_json(response)
        if (theirs := root.get("network_passphrase")) != self._passphrase:
            raise SourceFatal("passphrase", f"Horizon is of {theirs!r}, not {self._passphrase!r}")
        for name in ("history_latest_ledger", "history_elder_ledger"):
            if not isinstance(root.get(name), int):
                raise SourceError("malformed", f"Horizon's root has no number {name!r}")
        self._root_at = time.monotonic()
        metrics.NETWORK_LEDGER.set(root["history_latest_ledger"])
        return root

    async def _check_history(self, cursor: int) -> None:
        """Horizon never says so itself: it skips trimmed history, and waits above its tip."""
        if time.monotonic() - self._root_at < _ROOT_EVERY:
            return
        root = await self._root()
        latest, elder = root["history_latest_ledger"], root["history_elder_ledger"]
        if cursor < toid(elder):
            read = cursor >> 32
            raise SourceFatal("gap", f"read up to ledger {read}, Horizon begins at {elder}")
        if cursor > toid(latest + 2):
            read = cursor >> 32
            raise SourceFatal("reset", f"read up to ledger {read}, Horizon ends at {latest}")

    # ── one connection ──

    async def _stream(self, cursor: int) -> AsyncIterator[Batch]:
        url = f"{self._url}/transactions?cursor={cursor}&order=asc&limit={_PAGE}"
        async with get(self._session, url, self._stream_timeout, _SSE) as response:
            parser = FrameParser()
            async for chunk in _chunks(response):
                chapter = _Chapter(cursor)
                trouble = await self._read(_frames(parser, chunk), chapter)
                if batch := chapter.batch():  # what came before the trouble is good
                    yield batch
                    cursor = batch.cursor
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
                elif frame.event != "open":
                    raise SourceError("in_band", f"{frame.event}: {frame.text[:200]}")
        except (SourceError, SourceFatal) as error:
            return error
        return None

    async def _take(self, record: Record, chapter: _Chapter) -> None:
        if record.toid <= chapter.cursor:
            raise SourceError("disorder", f"{record.toid} came after {chapter.cursor}")
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
    reading: Reading = field(default_factory=Reading)
    last: Record | None = None
    ended: bool = False

    @property
    def cursor(self) -> int:
        return self.last.toid if self.last else self.before

    def batch(self) -> Batch | None:
        if (last := self.last) is None:
            return None
        reading = self.reading
        return Batch(reading.events, reading.dead, last.toid, last.ledger, last.closed_at)


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise SourceError("dropped", repr(error)) from error


def _frames(parser: FrameParser, chunk: bytes) -> Sequence[Frame]:
    try:
        return parser.feed(chunk)
    except (FrameTooLong, UnicodeDecodeError) as error:
        raise SourceError("malformed", str(error)) from error


def _record(frame: Frame) -> Record:
    try:
        record = parse_record(parse_object(frame.text))
    except Malformed as error:
        raise SourceError("malformed", str(error)) from error
    if frame.id != str(record.toid):
        raise SourceError("malformed", f"frame {frame.id!r} holds transaction {record.toid}")
    return record
