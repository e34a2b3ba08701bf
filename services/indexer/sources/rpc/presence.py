"""Check that Stellar RPC has the ledgers that an answer of getEvents covers.

getEvents does not show that ledgers are missing in RPC's database, so the indexer looks up single
ledgers. If an answer covers up to 64 ledgers, as at the tip, the indexer looks up each one.
Otherwise it looks up a sample of 64.

See docs/decisions/0059-rpc-ledgers-are-sampled.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from services.indexer.sources.base import SourceGapError
from services.indexer.sources.ledger_range import cursor_before, next_ledger
from services.indexer.sources.rpc.polling import EventWindow
from shared.chain.errors import SourceError
from shared.chain.rpc import NO_SUCH_METHOD, RpcClient, RpcError

_SAMPLES = 64
_CONCURRENT = 8
_MAX_LEDGERS = 200
"""The most ledgers that one getLedgers returns (stellar-rpc's limit)."""


class LedgerPresence:
    """Finds each hole of more than 1/64 of the ledgers of an answer; may miss a smaller hole.

    An event proves that its ledger exists. getLedgers returns whole metas, so it is called only for
    ledgers without events. A server without getLedgers cannot be checked.
    """

    def __init__(self, rpc: RpcClient) -> None:
        self._rpc = rpc
        self._can_list = True

    async def before_hole(self, cursor: int, window: EventWindow) -> EventWindow:
        """Return the window. If a ledger is missing, return only the part before that ledger.

        Raises SourceGapError if the first ledger after the cursor is missing; SourceError if a call
        fails.
        """
        first, end = next_ledger(cursor), next_ledger(window.upto)
        missing = await self._first_missing(first, end, {s.position.ledger for s in window.events})
        if missing is None:
            return window
        if missing == first:
            raise SourceGapError("RPC", cursor, await self._end_of_hole(missing, window.latest))
        upto = cursor_before(missing)
        events = [each for each in window.events if each.transaction <= upto]
        return replace(window, events=events, upto=upto)

    async def _first_missing(self, first: int, end: int, with_events: set[int]) -> int | None:
        """Find the first missing ledger in [first, end), else None. Ledgers `with_events` exist."""
        step = max(1, -(-(end - first) // _SAMPLES))
        present = first - 1
        sampled = [each for each in range(first, end, step) if each not in with_events]
        for index in range(0, len(sampled), _CONCURRENT):
            ledgers = sampled[index : index + _CONCURRENT]
            for ledger, is_present in zip(ledgers, await self._have(ledgers), strict=True):
                if not is_present:
                    return await self._beginning(present, ledger)
                present = ledger
        return None

    async def _have(self, ledgers: Sequence[int]) -> list[bool]:
        return await asyncio.gather(*map(self._has, ledgers))

    async def _has(self, ledger: int) -> bool:
        """True if RPC has the ledger, or if RPC cannot tell."""
        if not self._can_list:
            return True
        try:
            page = {"limit": 1}
            answer = await self._rpc.call(
                "getEvents", startLedger=ledger, endLedger=ledger + 1, pagination=page
            )
            return bool(answer.get("events")) or bool(await self._rpc.list_ledgers(ledger, 1))
        except RpcError as error:  # RPC cannot tell: ledger out of range, or call over a limit
            self._can_list = error.code != NO_SUCH_METHOD
            return True

    async def _beginning(self, present: int, missing: int) -> int:
        """Find the first ledger of a hole by bisection: `present` exists, `missing` does not."""
        while missing - present > 1:
            middle = (present + missing) // 2
            if await self._has(middle):
                present = middle
            else:
                missing = middle
        return missing

    async def _end_of_hole(self, missing: int, latest: int) -> int:
        """Find the next ledger that exists after a missing one. Raises SourceError."""
        ledger, count = missing + 1, 1
        while ledger <= latest:
            match await self._rpc.list_ledgers(ledger, count):
                case [{"sequence": int(number)}, *_] if number >= ledger:
                    return number
            ledger, count = ledger + count, min(count * 2, _MAX_LEDGERS)
        raise SourceError("missing", f"RPC lists no ledger from {missing} to its last, {latest}")
