"""The Horizon source: reads all transactions over SSE.

stellar-sdk's streaming is not used: it loses data at a malformed frame, an error event and a
dropped connection. Here the caller keeps the cursor and moves it with each commit. Whatever ends a
connection, the next one continues at that cursor.

See docs/decisions/0009-stellar-sdk-without-streaming.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace

import aiohttp

from services.indexer.sources.base import Batch, SourceGapError
from services.indexer.sources.horizon.chunks import (
    ChunkResult,
    empty_batch,
    parse_frame,
    parse_frames,
    read_chunks,
)
from services.indexer.sources.horizon.continuity import Continuity
from services.indexer.sources.horizon.history import HorizonHistory
from services.indexer.sources.horizon.sse_parser import (
    HorizonFrame,
    HorizonFrameParser,
)
from services.indexer.sources.ledger_range import start_cursor
from services.indexer.sources.upstream import UpstreamVersions
from services.indexer.sources.verified_reader import VerifyingReader
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.decode.records import (
    HorizonTransaction,
    known_meta,
)
from shared.chain.decode.transactions import DecodedEvents, MetaMissingError
from shared.chain.errors import FatalSourceError, SourceError
from shared.chain.http import SSE, get
from shared.chain.rpc import RpcClient
from shared.domain.position import LedgerRange
from shared.runtime.tasks import backoff
from shared.runtime.urls import append_path

_PAGE = 200
_CONNECT_SECONDS = 10.0
_MIN_SECONDS = 1.0
"""Seconds. A shorter connection that brought no transaction counts as failed."""
_OPEN_SECONDS = 0.5
"""Seconds. A new stream counts as open after this time without a transaction."""


class HorizonSource:
    """A Source that reads Horizon. RPC supplies a meta that Horizon leaves out."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        *,
        passphrase: str,
        contracts: WatchedContracts,
        rpc: RpcClient | None,
        read_seconds: float,
        alarm_only: bool = False,
        upstream: UpstreamVersions | None = None,
        opened: Callable[[], None] = lambda: None,
    ) -> None:
        """`opened` is called when the stream is open and all waiting transactions are read.

        `read_seconds`: a connection that brings no byte for this many seconds counts as hung.
        `alarm_only`: see VerifyingReader.
        """
        self._session = session
        self._url = url
        self._rpc = rpc
        self._opened = opened
        self._opening: asyncio.TimerHandle | None = None
        self._reader = VerifyingReader(contracts, alarm_only=alarm_only)
        self._history = HorizonHistory(session, url, passphrase, min(10.0, read_seconds), upstream)
        self._continuity = Continuity(self._history)
        # Unlike `sock_connect`, `connect` also limits the DNS query and a proxy's CONNECT.
        self._timeout = aiohttp.ClientTimeout(
            total=None, connect=_CONNECT_SECONDS, sock_read=read_seconds
        )

    @property
    def name(self) -> str:
        """See Source."""
        return "horizon"

    async def ledgers(self) -> LedgerRange:
        """See Source."""
        return await self._history.ledgers()

    async def latest_hash(self) -> tuple[int, str]:
        """See Source."""
        latest = (await self._history.ledgers()).latest
        digest = await self._history.hash_of(latest)
        if digest is None:
            raise SourceError("behind", f"Horizon does not have its last ledger, {latest}")
        return latest, digest

    async def hash_of(self, ledger: int) -> str | None:
        """See Source."""
        return await self._history.hash_of(ledger)

    async def start(self, where: str) -> int:
        """See Source.

        Horizon's own `cursor=now` is not used: after a reconnection it would skip the transactions
        that came in between.
        """
        return start_cursor("Horizon", await self._history.ledgers(), where)

    async def batches(self, cursor: int) -> AsyncGenerator[Batch]:
        """See Source."""
        waits = _new_waits()
        self._continuity.begin(cursor)
        while True:
            await self._history.check(cursor)
            started_at, started_from = time.monotonic(), cursor
            try:
                async with aclosing(self._stream(cursor)) as stream:
                    async for batch in stream:
                        yield batch
                        cursor = batch.cursor
            finally:
                self._cancel_opening()
            if cursor > started_from or time.monotonic() - started_at > _MIN_SECONDS:
                waits = _new_waits()
            else:  # wait: a server may send only `byebye`, which asks to reconnect at once
                await asyncio.sleep(next(waits))

    # ── one connection ──

    async def _stream(self, cursor: int) -> AsyncGenerator[Batch]:
        url = append_path(self._url, "/transactions", cursor=cursor, order="asc", limit=_PAGE)
        self._continuity.connected()
        async with get(self._session, url, self._timeout, SSE) as response:
            parser = HorizonFrameParser()
            async for chunk in read_chunks(response):
                result = ChunkResult(cursor)
                error = await self._read(parse_frames(parser, chunk), result)
                if batch := result.batch(self._history.latest):
                    yield batch  # the transactions before the error are good
                    cursor = batch.cursor
                if isinstance(error, SourceGapError) and error.read > cursor:
                    yield empty_batch(error.read, self._history.latest)
                if error:
                    raise error
                if result.ended:
                    return
        raise SourceError("dropped", "the stream ended without byebye")

    async def _read(self, frames: Sequence[HorizonFrame], result: ChunkResult) -> Exception | None:
        """Read frames into the result until one fails; returns the error."""
        try:
            for frame in frames:
                if frame.event == "close":
                    result.ended = True
                elif frame.event == "message":
                    await self._read_record(parse_frame(frame), result)
                elif frame.event == "open":
                    loop = asyncio.get_running_loop()
                    self._opening = loop.call_later(_OPEN_SECONDS, self._opened)
                else:
                    raise SourceError("in_band", f"{frame.event}: {frame.data[:200]!r}")
        except (SourceError, FatalSourceError) as error:
            return error
        return None

    def _cancel_opening(self) -> None:
        if self._opening:
            self._opening.cancel()

    async def _read_record(self, record: HorizonTransaction, result: ChunkResult) -> None:
        self._cancel_opening()  # not open yet: reading this record may need a request that fails
        if record.toid <= result.cursor:
            raise SourceError("disorder", f"{record.toid} came after {result.cursor}")
        await self._continuity.check(record.ledger)
        try:
            decoded = self._reader.read(record)
        except MetaMissingError:
            decoded = await self._read_with_rpc_meta(record)
        result.decoded.extend(decoded)
        result.last = record
        self._continuity.add(record)

    async def _read_with_rpc_meta(self, record: HorizonTransaction) -> DecodedEvents:
        """Decode a record with the meta from RPC, which keeps metas for some days.

        The operator of a Horizon server may configure it to leave metas out (SKIP_TXMETA).
        """
        if self._rpc is None:
            text = f"Horizon leaves metas out ({record.hash}): set RPC_URL to a Stellar RPC"
            raise FatalSourceError("meta_missing", text)
        meta = known_meta(await self._rpc.meta(record.hash))
        try:
            return self._reader.read(replace(record, meta=meta))
        except MetaMissingError as error:
            text = f"RPC's meta of {record.hash} is empty too"
            raise SourceError("meta_missing", text) from error


def _new_waits() -> Iterator[float]:
    return backoff(max_wait=5.0)
