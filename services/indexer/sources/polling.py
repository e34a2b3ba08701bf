"""Polling getEvents: what the contracts said after a cursor, whole transactions only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.indexer.contracts import Contracts
from services.indexer.records import Malformed
from services.indexer.sources import Ledgers, SourceError
from services.indexer.sources.bounds import before, is_between_ledgers, next_ledger, refuse
from services.indexer.sources.pages import PER_CALL, Page, Said, filters, parse_page
from services.indexer.sources.rpc import OUT_OF_RANGE, Rpc, RpcRefused
from shared.positions import Position

_PAGE = 1_000
_PAGES_OF_ONE = 10
"""Pages that one transaction may fill; what it can emit is bounded far below that (CAP-46)."""
_OPERATION = (1 << 12) - 1


@dataclass(frozen=True, slots=True)
class Window:
    """What was said from the cursor up to `upto`, a TOID; `closed_at` is the close of `latest`."""

    said: Sequence[Said]
    upto: int
    latest: int
    closed_at: str


class Polls:
    """Asks for any number of contracts; `ledgers` tells what the server has, when it refuses."""

    def __init__(
        self, rpc: Rpc, contracts: Contracts, ledgers: Callable[[], Awaitable[Ledgers]]
    ) -> None:
        self._rpc = rpc
        self._contracts = contracts
        self._ledgers = ledgers

    async def window(self, cursor: int, latest: int) -> Window:
        """All contracts' events up to where every poll has looked, whole transactions only."""
        addresses = self._contracts.addresses
        windows = [
            await self._poll(addresses[at : at + PER_CALL], cursor, latest)
            for at in range(0, len(addresses), PER_CALL)
        ]
        least = min(windows, key=lambda each: each.upto)
        said = [each for w in windows for each in w.said if each.transaction <= least.upto]
        return Window(said, least.upto, least.latest, least.closed_at)

    async def _poll(self, addresses: Sequence[str], cursor: int, latest: int) -> Window:
        """Some contracts' events; the last transaction of a full page may be cut and is held back.

        When it is the only one, paging goes on until it is whole.
        """
        said: list[Said] = []
        after, start = _begin(cursor, latest)
        for _ in range(_PAGES_OF_ONE):
            page = await self._page(addresses, cursor, after, start)
            said += page.said
            if page.count < _PAGE:
                return Window(said, max(cursor, page.cursor.toid), page.latest, page.closed_at)
            last = page.cursor.toid & ~_OPERATION
            if last - 1 > cursor:
                whole = [each for each in said if each.transaction < last]
                return Window(whole, last - 1, page.latest, page.closed_at)
            after, start = page.cursor, None
        raise SourceError("malformed", f"getEvents says that transaction {last} never ends")

    async def _page(
        self, addresses: Sequence[str], cursor: int, after: Position, start: int | None
    ) -> Page:
        where: dict[str, object] = {"pagination": {"limit": _PAGE, "cursor": _text(after)}}
        if start is not None:
            where = {"startLedger": start, "pagination": {"limit": _PAGE}}
        try:
            result = await self._rpc.call("getEvents", filters=filters(addresses), **where)
            return parse_page(result, self._contracts, after)
        except RpcRefused as error:
            if error.code == OUT_OF_RANGE:  # trimmed meanwhile, reset, or a server that lags
                refuse("RPC", cursor, await self._ledgers())
            raise
        except Malformed as error:
            raise SourceError("malformed", f"getEvents: {error}") from error


def _begin(cursor: int, latest: int) -> tuple[Position, int | None]:
    """The position that all that follows a TOID is above, and the ledger to ask from, if any.

    A cursor excludes `startLedger`, and must be of a ledger that is there. So what begins with a
    ledger is asked for by its number, unless that ledger is still to come; and a cursor stands
    behind the last operation that a transaction could have.
    """
    ledger = next_ledger(cursor)
    if not is_between_ledgers(cursor):
        return Position(cursor | _OPERATION, 0), None
    return Position(before(ledger), 0), ledger if ledger <= latest else None


def _text(position: Position) -> str:
    """A cursor as stellar-rpc writes it."""
    return f"{position.toid:019d}-{position.n:010d}"
