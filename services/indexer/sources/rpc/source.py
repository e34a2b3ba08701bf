"""The RPC source: polls getEvents, so only the watched contracts' events are transferred.

Every answer moves the cursor, even an answer without events. Otherwise the indexer would search the
same ledgers of a quiet contract again and again, until RPC trims them. Each transaction with events
is fetched and proved, as for Horizon (services.indexer.sources.verified_reader). If RPC has trimmed
the transaction, its events are kept without a proof (`verified` null).

See docs/decisions/0023-one-proof-for-both-sources.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from services.indexer import metrics
from services.indexer.sources.base import Batch
from services.indexer.sources.ledger_range import check_available, next_ledger, start_cursor
from services.indexer.sources.rpc.fetching import TransactionFetcher
from services.indexer.sources.rpc.pages import (
    RpcEvent,
    TransactionEvents,
    group_by_transaction,
)
from services.indexer.sources.rpc.polling import EventPoller, EventWindow
from services.indexer.sources.rpc.presence import LedgerPresence
from services.indexer.sources.rpc.version import check_version
from services.indexer.sources.upstream import UpstreamVersions
from services.indexer.sources.verified_reader import VerifyingReader
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.decode.records import MalformedError
from shared.chain.decode.transactions import DecodedEvents
from shared.chain.errors import FatalSourceError, SourceError
from shared.chain.http import check_network, ledger_hash, ledger_number
from shared.chain.rpc import NO_SUCH_METHOD, RpcClient, RpcError
from shared.domain.instant import unix_seconds
from shared.domain.position import LedgerRange

_CHUNK = 200
"""The most transactions that are proved and committed together."""


class RpcSource:
    """A Source that reads Stellar RPC."""

    def __init__(
        self,
        rpc: RpcClient,
        *,
        passphrase: str,
        contracts: WatchedContracts,
        poll_seconds: float,
        alarm_only: bool = False,
        upstream: UpstreamVersions | None = None,
        opened: Callable[[], None] = lambda: None,
    ) -> None:
        """`opened` is called after RPC has confirmed that it has the ledgers after the cursor.

        `poll_seconds`: the pause between two polls at the tip. `alarm_only`: see VerifyingReader.
        """
        self._rpc = rpc
        self._upstream = upstream or UpstreamVersions()
        self._passphrase = passphrase
        self._poller = EventPoller(rpc, contracts, self.ledgers)
        self._presence = LedgerPresence(rpc)
        self._poll_seconds = poll_seconds
        self._opened = opened
        self._reader = VerifyingReader(contracts, alarm_only=alarm_only)
        self._fetcher = TransactionFetcher(rpc)

    @property
    def name(self) -> str:
        """See Source."""
        return "rpc"

    async def ledgers(self) -> LedgerRange:
        """See Source. Raises SourceError `too_old` if RPC is too old to be read."""
        passphrase = (await self._rpc.call("getNetwork")).get("passphrase")
        check_network("RPC", passphrase, self._passphrase)
        await check_version(self._rpc, self._upstream)
        return await self._rpc.ledgers()

    async def latest_hash(self) -> tuple[int, str]:
        """See Source."""
        tip = await self._rpc.call("getLatestLedger")
        return ledger_number("RPC", tip, "sequence"), ledger_hash("RPC", tip, "id")

    async def hash_of(self, ledger: int) -> str | None:
        """See Source. Call it rarely: the answer holds the whole meta of the ledger."""
        oldest, latest = await self.ledgers()
        if not oldest <= ledger <= latest:
            return None
        try:
            listed = await self._rpc.list_ledgers(ledger, 1)
        except RpcError as error:
            if error.code == NO_SUCH_METHOD:
                return None
            raise
        match listed:
            case [{"sequence": int(number)} as listed_ledger, *_] if number == ledger:
                return ledger_hash("RPC", listed_ledger, "hash")
        raise SourceError("malformed", f"getLedgers does not list ledger {ledger}")

    async def start(self, where: str) -> int:
        """See Source."""
        return start_cursor("RPC", await self.ledgers(), where)

    async def batches(self, cursor: int) -> AsyncGenerator[Batch]:
        """See Source."""
        available = await self.ledgers()
        if next_ledger(cursor) < available.oldest:
            # Ask again: several servers may share the URL, and another one may have the ledger.
            available = await self._rpc.ledgers()
        check_available("RPC", cursor, available)
        self._opened()
        latest = available.latest
        while True:
            window = await self._poller.window(cursor, latest)
            window = await self._presence.before_hole(cursor, window)
            latest = window.latest
            async for batch in self._verified_batches(cursor, window):
                yield batch
                cursor = batch.cursor
            if next_ledger(cursor) > latest:
                _report_tip(window)
                await asyncio.sleep(self._poll_seconds)

    async def _verified_batches(self, cursor: int, window: EventWindow) -> AsyncGenerator[Batch]:
        transactions = _grouped(window.events)
        for at in range(0, len(transactions) or 1, _CHUNK):
            chunk = transactions[at : at + _CHUNK]
            decoded, last, failure = await self._read(chunk)
            is_complete = failure is None and at + _CHUNK >= len(transactions)
            upto = window.upto if is_complete else last.toid if last else cursor
            if upto > cursor:  # the transactions before the failed one are good
                yield _batch(decoded, upto, last, window)
                cursor = upto
            if failure:
                raise failure

    async def _read(
        self, chunk: Sequence[TransactionEvents]
    ) -> tuple[DecodedEvents, TransactionEvents | None, Exception | None]:
        """Read transactions until one fails. Returns events, last good transaction and error."""
        decoded, last = DecodedEvents(), None
        for transaction, details in zip(chunk, await self._fetcher.fetch(chunk), strict=True):
            try:
                if isinstance(details, BaseException):
                    raise details
                if details.meta is None:
                    found = self._reader.read_without_meta(details, transaction.raw_events)
                else:
                    found = self._reader.read(details, transaction.raw_events)
            except (SourceError, FatalSourceError) as error:
                return decoded, last, error
            decoded.extend(found)
            last = transaction
        return decoded, last, None


def _grouped(events: Sequence[RpcEvent]) -> list[TransactionEvents]:
    try:
        return group_by_transaction(events)
    except MalformedError as error:
        raise SourceError("malformed", f"getEvents: {error}") from error


def _report_tip(window: EventWindow) -> None:
    metrics.record_tip(window.latest, unix_seconds(window.closed_at))


def _batch(
    decoded: DecodedEvents, upto: int, last: TransactionEvents | None, window: EventWindow
) -> Batch:
    """Create a batch up to TOID `upto`. Its `ledger` is the last one with a known close time."""
    ledger, closed_at = next_ledger(upto) - 1, None
    if ledger == window.latest:
        closed_at = window.closed_at
    elif last:
        ledger, closed_at = last.toid >> 32, last.closed_at
    return Batch(decoded.events, decoded.dead, upto, ledger, closed_at, window.latest)
