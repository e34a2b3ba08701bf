"""Horizon's documents: the root, ledgers, transactions, pages and problems. Pure.

Fields, their order and the texts are those of Horizon v30 (docs/architecture.md, "Horizon").
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from deploy.local.network.ledger import LAST_OF_LEDGER, Transaction, iso
from deploy.local.network.problems import ProblemError
from deploy.local.network.views import Status, View
from shared.positions import toid

PROTOCOL = 30
VERSION = "30.0.0-headrace"


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which transactions are asked for: those on the far side of `cursor`, at most `limit`."""

    cursor: int
    limit: int
    descending: bool
    include_failed: bool

    def page(self, chain: View) -> Iterable[Transaction]:
        """The transactions, as far as they exist by now."""
        found = chain.before(self.cursor) if self.descending else chain.after(self.cursor)
        return islice((t for t in found if t.successful or self.include_failed), self.limit)

    def after(self, transaction: Transaction) -> PageQuery:
        """The same question, from that transaction on."""
        return replace(self, cursor=transaction.toid)


def page_query(query: Mapping[str, str], last_event_id: str | None, status: Status) -> PageQuery:
    """Read `cursor`, `limit`, `order`, `include_failed`; `Last-Event-ID` overrides the cursor.

    Raises ProblemError 400 that names the field.
    """
    order = query.get("order") or "asc"
    if order not in ("asc", "desc"):
        raise _invalid("order", "order: invalid value")
    descending = order == "desc"
    cursor = last_event_id or query.get("cursor") or ""
    if cursor == "now":
        cursor = str((status.latest << 32) + LAST_OF_LEDGER)
    if cursor and not (cursor.isascii() and cursor.isdecimal()):
        raise _invalid("cursor", "cursor: invalid value")
    return PageQuery(
        cursor=int(cursor) if cursor else (1 << 63 if descending else 0),
        limit=_limit(query.get("limit") or "10"),
        descending=descending,
        include_failed=query.get("include_failed") == "true",
    )


def _limit(text: str) -> int:
    if not text.removeprefix("-").isdecimal():
        raise _invalid("limit", "unparseable value")
    if int(text) <= 0:
        raise _invalid("limit", "invalid limit: non-positive value provided")
    if int(text) > 200:
        raise _invalid("limit", "invalid limit: value provided that is over limit max of 200")
    return int(text)


def _invalid(field: str, reason: str) -> ProblemError:
    return ProblemError(400, {"invalid_field": field, "reason": reason})


def root(status: Status, passphrase: str) -> dict[str, object]:
    """`GET /`."""
    return {
        "_links": {
            "self": {"href": "/"},
            "ledger": {"href": "/ledgers/{sequence}", "templated": True},
            "transaction": {"href": "/transactions/{hash}", "templated": True},
            "transactions": {"href": "/transactions{?cursor,limit,order}", "templated": True},
        },
        "horizon_version": VERSION,
        "core_version": VERSION,
        "ingest_latest_ledger": status.latest,
        "history_latest_ledger": status.latest,
        "history_latest_ledger_closed_at": status.closed_at,
        "history_elder_ledger": status.elder,
        "core_latest_ledger": status.latest,
        "network_passphrase": passphrase,
        "current_protocol_version": PROTOCOL,
        "supported_protocol_version": PROTOCOL,
        "core_supported_protocol_version": PROTOCOL,
    }


def ledger(chain: View, status: Status, sequence: int) -> dict[str, object]:
    """`GET /ledgers/{sequence}`. Raises ProblemError 410 before the history, else 404.

    Horizon compares with the bounds that it last looked up: a ledger that was trimmed since
    then is 404, and 410 a second later.
    """
    if sequence < status.elder:
        raise ProblemError(410)
    found = chain.ledger(sequence)
    if found is None:
        raise ProblemError(404)
    successful = sum(each.successful for each in found.transactions)
    return {
        "id": found.hash,
        "paging_token": str(toid(sequence)),
        "hash": found.hash,
        "prev_hash": found.previous,
        "sequence": sequence,
        "successful_transaction_count": successful,
        "failed_transaction_count": len(found.transactions) - successful,
        "operation_count": successful,
        "tx_set_operation_count": len(found.transactions),
        "closed_at": iso(found.closed_at),
        "total_coins": "105443902087.3472865",
        "fee_pool": "5445.2345678",
        "base_fee_in_stroops": 100,
        "base_reserve_in_stroops": 5_000_000,
        "max_tx_set_size": 200,
        "protocol_version": PROTOCOL,
    }


def record(transaction: Transaction) -> dict[str, object]:
    """A transaction, in Horizon's order of fields (a memo stands first)."""
    signed = transaction.signed
    shown: dict[str, object] = {}
    if signed.memo is not None:
        shown = {"memo": signed.memo, "memo_bytes": base64.b64encode(signed.memo.encode()).decode()}
    shown |= {
        "id": transaction.hash,
        "paging_token": str(transaction.toid),
        "successful": transaction.successful,
        "hash": transaction.hash,
        "ledger": transaction.ledger,
        "created_at": iso(transaction.closed_at),
        "source_account": signed.source,
        "source_account_sequence": str(signed.sequence),
        "fee_account": signed.fee_source,
        "fee_charged": str(transaction.fee_charged),
        "max_fee": str(signed.max_fee),
        "operation_count": 1,
        "envelope_xdr": signed.envelope,
        "result_xdr": transaction.result,
    }
    if transaction.meta is not None:
        shown["result_meta_xdr"] = transaction.meta
    shown |= {
        "fee_meta_xdr": "AAAAAA==",  # no changes
        "memo_type": "none" if signed.memo is None else "text",
        "signatures": list(signed.signatures),
    }
    return shown | _fee_bump(transaction)


def _fee_bump(transaction: Transaction) -> dict[str, object]:
    signed = transaction.signed
    if signed.inner_hash is None:
        return {}
    inner = {
        "hash": signed.inner_hash,
        "signatures": list(signed.inner_signatures),
        "max_fee": str(signed.inner_max_fee),
    }
    outer = {"hash": signed.hash, "signatures": list(signed.signatures)}
    return {"fee_bump_transaction": outer, "inner_transaction": inner}


def page(query: PageQuery, records: list[dict[str, object]]) -> dict[str, object]:
    """A page of transactions; `next` goes on after the last of them."""
    order = "desc" if query.descending else "asc"
    last = records[-1]["paging_token"] if records else query.cursor

    def href(cursor: object, direction: str) -> dict[str, str]:
        return {"href": f"/transactions?cursor={cursor}&limit={query.limit}&order={direction}"}

    back = "asc" if query.descending else "desc"
    first = records[0]["paging_token"] if records else query.cursor
    return {
        "_links": {
            "self": href(query.cursor, order),
            "next": href(last, order),
            "prev": href(first, back),
        },
        "_embedded": {"records": records},
    }
