"""Poll getEvents for the watched contracts' events; returns only whole transactions.

See docs/decisions/0045-fewer-ledgers-after-a-timeout.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from services.indexer import metrics
from services.indexer.sources.ledger_range import (
    check_available,
    cursor_before,
    is_between_ledgers,
    next_ledger,
)
from services.indexer.sources.rpc.pages import PER_CALL, RpcEvent, RpcEventPage, filters, parse_page
from services.indexer.sources.rpc.span import LedgerSpan
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.decode.records import MalformedError
from shared.chain.errors import SourceError
from shared.chain.rpc import OUT_OF_RANGE, RpcClient, RpcError
from shared.domain.position import LedgerRange, Position, last_of_transaction, transaction_of

log = structlog.get_logger()

_PAGE = 1_000
_MAX_PAGE = 10_000
"""Events in the largest page that stellar-rpc returns."""
_MAX_PAGES_PER_TRANSACTION = 10
"""The most pages for one transaction. The protocol allows far fewer events in it (CAP-46)."""


@dataclass(frozen=True, slots=True)
class EventWindow:
    """The events after the cursor, up to the TOID `upto`.

    `latest`: the server's last ledger. `closed_at`: when that ledger closed.
    """

    events: Sequence[RpcEvent]
    upto: int
    latest: int
    closed_at: str


class EventPoller:
    """Polls events for any number of contracts.

    `ledgers` returns the server's ledger range. The poller calls `ledgers` after a request that is
    too large or starts out of that range.
    """

    def __init__(
        self,
        rpc: RpcClient,
        contracts: WatchedContracts,
        ledgers: Callable[[], Awaitable[LedgerRange]],
    ) -> None:
        self._rpc = rpc
        self._contracts = contracts
        self._ledgers = ledgers
        self._span = LedgerSpan()

    async def window(self, cursor: int, latest: int) -> EventWindow:
        """Return the events of all contracts, up to the TOID that every call has reached."""
        addresses = self._contracts.addresses
        windows = [
            await self._poll(addresses[at : at + PER_CALL], cursor, latest)
            for at in range(0, len(addresses), PER_CALL)
        ]
        shortest = min(windows, key=lambda each: each.upto)
        events = [each for w in windows for each in w.events if each.transaction <= shortest.upto]
        return EventWindow(events, shortest.upto, shortest.latest, shortest.closed_at)

    async def _poll(self, addresses: Sequence[str], cursor: int, latest: int) -> EventWindow:
        """Return the events of some contracts. After a late or too large answer, halve the span."""
        while True:
            try:
                window = await self._window(addresses, cursor, latest)
            except SourceError as error:
                if not error.is_too_large:
                    raise
                latest = (await self._ledgers()).latest
                self._narrow(next_ledger(cursor), latest, error)
            else:
                self._span.succeeded()
                return window

    def _narrow(self, ledger: int, latest: int, error: SourceError) -> None:
        """Halve the span. Raises an error if it cannot shrink, or if the server asks to wait."""
        params = latest - ledger + 1
        if params < 1:
            raise error
        if not self._span.failed(params):
            text = f"getEvents fails even for ledger {ledger} alone: {error}"
            raise SourceError(error.kind, text, error.retry_after) from error
        if error.retry_after:
            raise error
        metrics.SOURCE_ERRORS.labels(error.kind).inc()
        log.warning("span_halved", ledger=ledger, ledgers=self._span.ledgers, error=str(error))

    async def _window(self, addresses: Sequence[str], cursor: int, latest: int) -> EventWindow:
        ledger = next_ledger(cursor)
        if self._span.is_limited and ledger <= latest:
            return await self._bounded(addresses, cursor, ledger)
        return await self._unbounded(addresses, cursor, latest)

    async def _bounded(self, addresses: Sequence[str], cursor: int, ledger: int) -> EventWindow:
        """Return the events after the cursor, in as many ledgers as the span allows.

        RPC does not accept a cursor together with `endLedger`, the first ledger that is not
        searched. So the call begins at the start of the cursor's ledger, and the page also has
        events up to the cursor. If these fill the page, a page of the largest size is requested.
        """
        bounds = {"startLedger": ledger, "endLedger": ledger + self._span.ledgers}
        for limit in (_PAGE, _MAX_PAGE):
            after = Position(cursor_before(ledger), 0)
            page = await self._page(addresses, cursor, after, limit, bounds)
            events = [each for each in page.events if each.transaction > cursor]
            if window := _complete_window(page, events, cursor, limit):
                return window
        raise SourceError(
            "malformed",
            f"the events of ledger {ledger} fill a page of getEvents ({_MAX_PAGE} events)",
        )

    async def _unbounded(self, addresses: Sequence[str], cursor: int, latest: int) -> EventWindow:
        """Return events after the cursor, as far as the server searches.

        The call has no `endLedger`, so the server decides how far. If a page has no complete
        transaction, the next page is read too.
        """
        events: list[RpcEvent] = []
        after, start = _first_request(cursor, latest)
        for _ in range(_MAX_PAGES_PER_TRANSACTION):
            bounds = {} if start is None else {"startLedger": start}
            page = await self._page(addresses, cursor, after, _PAGE, bounds)
            events += page.events
            if window := _complete_window(page, events, cursor, _PAGE):
                return window
            after, start = page.cursor, None
        last = transaction_of(after.toid)
        raise SourceError(
            "malformed",
            f"transaction {last} fills more than {_MAX_PAGES_PER_TRANSACTION} pages of getEvents",
        )

    async def _page(
        self,
        addresses: Sequence[str],
        cursor: int,
        after: Position,
        limit: int,
        bounds: Mapping[str, int],
    ) -> RpcEventPage:
        """Request one page: from `startLedger` in `bounds`; without `bounds`, after `after`."""
        pagination = {"limit": limit} | ({} if bounds else {"cursor": _text(after)})
        try:
            params = {"filters": filters(addresses), "pagination": pagination, **bounds}
            return parse_page(await self._get_events(params), self._contracts, after)
        except RpcError as error:
            if error.code == OUT_OF_RANGE:  # find the reason: trimmed, reset, or a server that lags
                check_available("RPC", cursor, await self._ledgers())
            raise
        except MalformedError as error:
            raise SourceError("malformed", f"getEvents: {error}") from error

    async def _get_events(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Call getEvents. If the start is out of the server's range, call it once more.

        Several servers may answer at one URL, and another one may have what the first one lacks.
        """
        try:
            return await self._rpc.call("getEvents", **params)
        except RpcError as error:
            if error.code != OUT_OF_RANGE:
                raise
        return await self._rpc.call("getEvents", **params)


def _complete_window(
    page: RpcEventPage, events: Sequence[RpcEvent], cursor: int, limit: int
) -> EventWindow | None:
    """Return the complete transactions of a page; None if there is none above the cursor.

    The last transaction of a full page may continue on the next page, so it is left out.
    """
    if page.count < limit:
        return EventWindow(events, max(cursor, page.cursor.toid), page.latest, page.closed_at)
    last = transaction_of(page.cursor.toid)
    if last - 1 <= cursor:
        return None
    complete = [each for each in events if each.transaction < last]
    return EventWindow(complete, last - 1, page.latest, page.closed_at)


def _first_request(cursor: int, latest: int) -> tuple[Position, int | None]:
    """Return the position below all further events, and the ledger to start at or None.

    RPC accepts either a cursor or `startLedger`, and the ledger of a cursor must exist. If the
    cursor is between two ledgers and the next ledger has closed, `startLedger` is used. If the
    cursor is inside a ledger, the position is after the last operation that the cursor's
    transaction could have.
    """
    ledger = next_ledger(cursor)
    if not is_between_ledgers(cursor):
        return Position(last_of_transaction(cursor), 0), None
    return Position(cursor_before(ledger), 0), ledger if ledger <= latest else None


def _text(position: Position) -> str:
    """Write a position in the form of stellar-rpc's cursors."""
    return f"{position.toid:019d}-{position.n:010d}"
