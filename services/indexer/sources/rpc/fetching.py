"""Fetch the transactions of events, for their proof: many in one call if they are close together.

getTransactions returns all transactions after a cursor. It saves calls if most of them are wanted.
On a busy network the wanted ones are few of hundreds in each ledger. Then each is fetched with
getTransaction. Whatever getTransactions does not return is fetched with getTransaction too.

See docs/decisions/0094-close-transactions-are-fetched-together.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import groupby

import structlog

from services.indexer.sources.rpc.pages import TransactionEvents
from services.indexer.sources.rpc.span import LedgerSpan
from services.indexer.sources.rpc.transactions import LedgerNotReachedError, read_details
from shared.chain.decode.records import HorizonTransaction, MalformedError
from shared.chain.errors import SourceError
from shared.chain.rpc import NO_SUCH_METHOD, RpcClient, RpcError
from shared.domain.position import LAST_TRANSACTION, toid

log = structlog.get_logger()

_CONCURRENT_CALLS = 8
_GROUP = 50
_MOST_PER_PAGE = 200
"""The most transactions that one getTransactions returns (stellar-rpc)."""
_FEWEST = 20
"""With fewer transactions, concurrent calls of getTransaction are as fast."""
_MIN_SHARE = 0.5
"""Transactions are fetched together if at least this part of their ledgers is wanted."""
_ONE_TRANSACTION = toid(0, 1)

Fetched = HorizonTransaction | BaseException


class TransactionFetcher:
    """Fetches transactions from one RPC server."""

    def __init__(self, rpc: RpcClient) -> None:
        self._rpc = rpc
        self._calls = asyncio.Semaphore(_CONCURRENT_CALLS)
        self._page_size = LedgerSpan(maximum=_MOST_PER_PAGE)  # here it counts transactions
        self._has_pages = True
        self._was_told_to_wait = False  # by the last getTransactions

    async def fetch(self, wanted: Sequence[TransactionEvents]) -> list[Fetched]:
        """Return each transaction, or the error of its call. Does not raise these errors.

        `wanted` must be in order. The meta of a transaction that the server has trimmed is None.
        Raises SourceError only if the server asks to wait.
        """
        found: dict[int, Fetched] = dict(await self._from_pages(wanted))
        missing = [each for each in wanted if each.toid not in found]
        found |= await self._fetch_each(missing)
        return [found[each.toid] for each in wanted]

    async def _fetch_each(self, wanted: Sequence[TransactionEvents]) -> dict[int, Fetched]:
        """Fetch each with a call of its own, in groups.

        After a group with a failure no further group begins: the transactions that are left get the
        same error. Otherwise a server that refuses calls would get one for each transaction.
        """
        found: dict[int, Fetched] = {}
        for at in range(0, len(wanted), _GROUP):
            group = wanted[at : at + _GROUP]
            results = await asyncio.gather(*map(self._fetch_one, group), return_exceptions=True)
            found.update(zip((each.toid for each in group), results, strict=True))
            if failed := next((each for each in results if isinstance(each, BaseException)), None):
                return dict.fromkeys((each.toid for each in wanted), failed) | found
        return found

    async def _from_pages(
        self, wanted: Sequence[TransactionEvents]
    ) -> dict[int, HorizonTransaction]:
        """Return the transactions that getTransactions has, by TOID. Stops at the first failure."""
        found: dict[int, HorizonTransaction] = {}
        if self._was_told_to_wait:  # perhaps only getTransactions is limited, so go on without it
            self._was_told_to_wait = False
            return found
        rest = wanted
        while self._has_pages and len(rest) >= _FEWEST and wanted_share(rest) >= _MIN_SHARE:
            page = await self._page(rest)
            if not page:
                break
            found |= page
            rest = [each for each in rest if each.toid not in page]
        return found

    async def _page(self, wanted: Sequence[TransactionEvents]) -> dict[int, HorizonTransaction]:
        """Return the wanted transactions in a page that starts at the first wanted one.

        It is empty if the call fails: then the calls of getTransaction show what is wrong. Raises
        SourceError if the server asks to wait.
        """
        limit = self._page_size.ledgers
        try:
            listed = await self._rpc.transactions(wanted[0].toid - _ONE_TRANSACTION, limit)
        except SourceError as error:
            log.debug("transactions_not_listed", error=str(error))
            if isinstance(error, RpcError) and error.code == NO_SUCH_METHOD:
                self._has_pages = False
            elif error.is_too_large:
                self._page_size.failed(limit)
            if error.retry_after:
                self._was_told_to_wait = True
                raise
            return {}
        self._page_size.succeeded()
        by_hash = {str(each.get("txHash")): each for each in listed if isinstance(each, dict)}
        pairs = ((each, by_hash.get(each.hash)) for each in wanted)
        read = (_read_listed(shown, each) for each, shown in pairs if shown is not None)
        return {record.toid: record for record in read if record is not None}

    async def _fetch_one(self, transaction: TransactionEvents) -> HorizonTransaction:
        async with self._calls:
            result = await self._rpc.call("getTransaction", hash=transaction.hash)
        try:
            return read_details(result, transaction)
        except LedgerNotReachedError as error:
            raise SourceError("behind", f"getTransaction {transaction.hash}: {error}") from error
        except MalformedError as error:
            raise SourceError("malformed", f"getTransaction {transaction.hash}: {error}") from error


def wanted_share(wanted: Sequence[TransactionEvents]) -> float:
    """Estimate which part of the transactions in the ledgers of the wanted ones is wanted.

    Ledgers in between without a wanted transaction do not count, because nothing is known of them.
    A TOID has the number of its transaction in the ledger, from 1. If k of a ledger's transactions
    are wanted, and the last one has number m, the ledger has about m + m/k transactions (the
    estimate of the "German tank problem"). `wanted` must be in order and not empty.
    """
    before_first = _number(wanted[0]) - 1
    total = -float(before_first)
    for _, in_ledger in groupby(wanted, lambda each: each.toid >> 32):
        numbers = [_number(each) for each in in_ledger]
        total += numbers[-1] * (1 + 1 / len(numbers))
    return len(wanted) / total


def _number(transaction: TransactionEvents) -> int:
    return transaction.toid >> 12 & LAST_TRANSACTION


def _read_listed(shown: object, transaction: TransactionEvents) -> HorizonTransaction | None:
    """Read a transaction of a page; None if it is not usable, so that it is fetched alone."""
    try:
        record = read_details(shown, transaction) if isinstance(shown, dict) else None
    except (MalformedError, LedgerNotReachedError):
        return None
    return record if record and record.meta is not None else None
