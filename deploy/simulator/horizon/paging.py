"""The query parameters of a page or a stream of Horizon. Pure.

Rules and texts are those of Horizon v28 (docs/architecture.md, "Horizon").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from deploy.simulator.chain.ledger import LAST_OF_LEDGER, Ledger, Transaction
from deploy.simulator.chain.server_view import HistoryBounds, ServerView
from deploy.simulator.problems import ProblemError

_HIGHEST = (1 << 63) - 1
_CURSOR = re.compile(r"\+?(\d+)(?:-\+?(\d+))?", re.ASCII)
_TRUE = frozenset({"1", "t", "T", "true", "True", "TRUE"})
_FALSE = frozenset({"0", "f", "F", "false", "False", "FALSE"})


@dataclass(frozen=True, slots=True)
class PageQuery:
    """At most `limit` records after `cursor`, in the given direction.

    `cursor` is the text in the request. `at` is the position that it means. If `of_ledgers` is
    True, the records are ledgers, else transactions.
    """

    cursor: str
    at: int
    limit: int
    descending: bool
    include_failed: bool
    of_ledgers: bool

    @property
    def order(self) -> str:
        """The order as in the query string: "asc" or "desc"."""
        return "desc" if self.descending else "asc"

    def page(self, chain: ServerView) -> Iterable[Transaction | Ledger]:
        """The records that exist at this moment."""
        return islice(self._ledgers(chain) if self.of_ledgers else self._sent(chain), self.limit)

    def after(self, record: Transaction | Ledger) -> PageQuery:
        """The same query, continued after this record."""
        return replace(self, cursor=str(record.toid), at=record.toid)

    def _ledgers(self, chain: ServerView) -> Iterable[Ledger]:
        return (chain.ledgers_before if self.descending else chain.ledgers_after)(self.at)

    def _sent(self, chain: ServerView) -> Iterable[Transaction]:
        found = (chain.before if self.descending else chain.after)(self.at)
        return (each for each in found if each.successful or self.include_failed)


def page_query(
    query: Mapping[str, str], last_event_id: str | None, status: HistoryBounds, *, of_ledgers: bool
) -> PageQuery:
    """Read `cursor`, `limit`, `order` and `include_failed`. `Last-Event-ID` overrides the cursor.

    Raises ProblemError 400 with the name of the invalid parameter. If a cursor is older than the
    history, a descending query is refused with ProblemError 410, and an ascending query starts at
    the oldest ledger without an error.
    """
    cursor = _cursor(last_event_id or query.get("cursor") or "", status)
    limit = _limit(query.get("limit") or "10")
    order = query.get("order") or "asc"
    if order not in ("asc", "desc"):
        raise _invalid("order", "order: invalid value")
    include_failed = not of_ledgers and _truth("include_failed", query.get("include_failed") or "0")
    return PageQuery(
        cursor=cursor,
        at=_position(cursor, status, descending=order == "desc"),
        limit=limit,
        descending=order == "desc",
        include_failed=include_failed,
        of_ledgers=of_ledgers,
    )


def _cursor(text: str, status: HistoryBounds) -> str:
    if text == "now":
        return str((status.latest << 32) + LAST_OF_LEDGER)
    digits = text.removeprefix("-")
    if digits != text and digits.isascii() and digits.isdecimal() and int(digits):
        raise _invalid("cursor", f"the cursor {int(text)} is a negative number: ")
    return text


def _position(cursor: str, status: HistoryBounds, *, descending: bool) -> int:
    """The TOID that a cursor means. For an empty cursor: 0, or the highest number if descending.

    A pair such as `1-2` is accepted only if its first number is older than the history. Then the
    result is this first number. Raises ProblemError 400 or 410.
    """
    if not cursor:
        return _HIGHEST if descending else 0
    parts = _CURSOR.fullmatch(cursor)
    if parts is None or any(int(each or 0) > _HIGHEST for each in parts.groups()):
        raise _invalid("cursor", "cursor: invalid value")
    at = int(parts[1])
    before_history = at <= status.oldest << 32
    if before_history and descending:
        raise ProblemError(410)
    if parts[2] and not before_history:
        raise ProblemError(400)
    return at


def _truth(name: str, text: str) -> bool:
    if text not in _TRUE | _FALSE:
        raise _invalid(name, "Filter should be true or false")
    return text in _TRUE


def _limit(text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and int(digits) <= _HIGHEST):
        raise _invalid("limit", "unparseable value")
    if int(text) <= 0:
        raise _invalid("limit", "invalid limit: non-positive value provided")
    if int(text) > 200:
        raise _invalid("limit", "invalid limit: value provided that is over limit max of 200")
    return int(text)


def _invalid(field: str, reason: str) -> ProblemError:
    return ProblemError(400, {"invalid_field": field, "reason": reason})
