"""What a page or a stream of Horizon is asked for. Pure.

Rules and texts are those of Horizon v28 (docs/architecture.md, "Horizon").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from deploy.local.network.ledger import LAST_OF_LEDGER, Ledger, Transaction
from deploy.local.network.problems import ProblemError
from deploy.local.network.views import Status, View

_HIGHEST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which records are asked for: those on the far side of `cursor`, at most `limit`.

    `cursor` is empty for the beginning, or for the end when `descending`. `of_ledgers`: the
    records are ledgers, else transactions.
    """

    cursor: str
    limit: int
    descending: bool
    include_failed: bool
    of_ledgers: bool

    @property
    def order(self) -> str:
        """As in the query string."""
        return "desc" if self.descending else "asc"

    def page(self, chain: View) -> Iterable[Transaction | Ledger]:
        """The records, as far as they exist by now."""
        return islice(self._ledgers(chain) if self.of_ledgers else self._sent(chain), self.limit)

    def after(self, record: Transaction | Ledger) -> PageQuery:
        """The same question, from that record on."""
        return replace(self, cursor=str(record.toid))

    @property
    def _at(self) -> int:
        return int(self.cursor or (_HIGHEST if self.descending else 0))

    def _ledgers(self, chain: View) -> Iterable[Ledger]:
        return (chain.ledgers_before if self.descending else chain.ledgers_after)(self._at)

    def _sent(self, chain: View) -> Iterable[Transaction]:
        found = (chain.before if self.descending else chain.after)(self._at)
        return (each for each in found if each.successful or self.include_failed)


def page_query(
    query: Mapping[str, str], last_event_id: str | None, status: Status, *, of_ledgers: bool
) -> PageQuery:
    """Read `cursor`, `limit`, `order`, `include_failed`; `Last-Event-ID` overrides the cursor.

    Raises ProblemError: 400 that names the field; 410 for a descending query that begins before
    the history. An ascending one silently begins with the history.
    """
    cursor = _cursor(last_event_id or query.get("cursor") or "", status)
    limit = _limit(query.get("limit") or "10")
    order = query.get("order") or "asc"
    if order not in ("asc", "desc"):
        raise _invalid("order", "order: invalid value")
    if cursor and not (cursor.isascii() and cursor.isdecimal() and int(cursor) <= _HIGHEST):
        raise _invalid("cursor", "cursor: invalid value")
    if order == "desc" and cursor and int(cursor) <= status.elder << 32:
        raise ProblemError(410)
    return PageQuery(
        cursor=cursor,
        limit=limit,
        descending=order == "desc",
        include_failed=query.get("include_failed") == "true",
        of_ledgers=of_ledgers,
    )


def _cursor(text: str, status: Status) -> str:
    if text == "now":
        return str((status.latest << 32) + LAST_OF_LEDGER)
    digits = text.removeprefix("-")
    if digits != text and digits.isascii() and digits.isdecimal() and int(digits):
        raise _invalid("cursor", f"the cursor {int(text)} is a negative number: ")
    return text


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
