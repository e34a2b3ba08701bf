"""Horizon's documents: the root, ledgers, transactions and pages of them. Pure.

The fields, their order and the texts are those of Horizon v28 (docs/architecture.md, "Horizon").
`base` is the URL under which the client reached the server, without a slash at its end. If `base`
is empty, links are relative.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from deploy.simulator.chain.header import (
    BASE_FEE,
    BASE_RESERVE,
    FEE_POOL,
    MAX_TX_SET_SIZE,
    TOTAL_COINS,
)
from deploy.simulator.chain.ledger import Ledger, Transaction
from deploy.simulator.chain.server_view import HistoryBounds, ServerView
from deploy.simulator.horizon.links import (
    ledger_links,
    page_links,
    root_links,
    transaction_links,
)
from deploy.simulator.horizon.paging import PageQuery
from deploy.simulator.problems import ProblemError
from deploy.simulator.versions import ReportedVersion
from shared.domain.instant import utc_text


def root(
    status: HistoryBounds, passphrase: str, reported: ReportedVersion, base: str
) -> dict[str, object]:
    """`GET /`."""
    protocol = reported.protocol
    return {
        "_links": root_links(base),
        "horizon_version": reported.version,
        "core_version": reported.core,
        "ingest_latest_ledger": status.latest,
        "history_latest_ledger": status.latest,
        "history_latest_ledger_closed_at": status.closed_at,
        "history_elder_ledger": status.oldest,
        "core_latest_ledger": status.latest,
        "network_passphrase": passphrase,
        "current_protocol_version": protocol,
        "supported_protocol_version": protocol,
        "core_supported_protocol_version": protocol,
    }


def find_ledger(chain: ServerView, status: HistoryBounds, text: str) -> Ledger:
    """The ledger of `GET /ledgers/{text}`. Raises ProblemError.

    The status is 400 if `text` is not a number, 410 if the ledger is older than the history, else
    404. Horizon uses the bounds of its last check. So if a ledger was trimmed after this check, the
    status is first 404, and 410 from the next check on, within a second.
    """
    if not (text.isascii() and text.isdecimal() and int(text) < 1 << 32):
        reason = "Ledger ID must be an integer higher than 0"
        raise ProblemError(400, {"invalid_field": "ledger_id", "reason": reason})
    if int(text) < status.oldest:
        raise ProblemError(410)
    if found := chain.ledger(int(text)):
        return found
    raise ProblemError(404)


def find_transaction(chain: ServerView, digest: str) -> Transaction:
    """The transaction of `GET /transactions/{digest}`. Raises ProblemError with 400 or 404."""
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        reason = "Transaction hash must be a hex-encoded, lowercase SHA-256 hash"
        raise ProblemError(400, {"invalid_field": "tx_id", "reason": reason})
    if found := chain.transaction(digest):
        return found
    raise ProblemError(404)


def record(shown: Transaction | Ledger, base: str = "") -> dict[str, object]:
    """The JSON of a ledger or a transaction, alone or in a page or a stream."""
    return _ledger(shown, base) if isinstance(shown, Ledger) else _transaction(shown, base)


def _ledger(ledger: Ledger, base: str) -> dict[str, object]:
    successful = sum(each.successful for each in ledger.transactions)
    return {
        "_links": ledger_links(base, ledger.sequence),
        "id": ledger.hash,
        "paging_token": str(ledger.toid),
        "hash": ledger.hash,
        "prev_hash": ledger.previous,
        "sequence": ledger.sequence,
        "successful_transaction_count": successful,
        "failed_transaction_count": len(ledger.transactions) - successful,
        "operation_count": successful,
        "tx_set_operation_count": len(ledger.transactions),
        "closed_at": utc_text(ledger.closed_at),
        "total_coins": _lumens(TOTAL_COINS),
        "fee_pool": _lumens(FEE_POOL),
        "base_fee_in_stroops": BASE_FEE,
        "base_reserve_in_stroops": BASE_RESERVE,
        "max_tx_set_size": MAX_TX_SET_SIZE,
        "protocol_version": ledger.protocol,
        "header_xdr": base64.b64encode(ledger.header).decode(),
    }


def _lumens(stroops: int) -> str:
    return f"{stroops // 10**7}.{stroops % 10**7:07}"


def _transaction(transaction: Transaction, base: str) -> dict[str, object]:
    """The fields are in Horizon's order: a memo comes first, before the links."""
    signed, token = transaction.signed, transaction.toid
    links = transaction_links(base, transaction.hash, signed.source, transaction.ledger, token)
    shown: dict[str, object] = {}
    if signed.memo is not None:
        shown = {"memo": signed.memo, "memo_bytes": base64.b64encode(signed.memo.encode()).decode()}
    shown |= {
        "_links": links,
        "id": transaction.hash,
        "paging_token": str(token),
        "successful": transaction.successful,
        "hash": transaction.hash,
        "ledger": transaction.ledger,
        "created_at": utc_text(transaction.closed_at),
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
        "fee_meta_xdr": "AAAAAA==",  # an empty list of changes
        "memo_type": "none" if signed.memo is None else "text",
        "signatures": list(signed.signatures),
        **_validity(*signed.times),
    }
    return shown | _fee_bump(transaction)


def _validity(least: int, most: int) -> dict[str, object]:
    """The time bounds, as Horizon writes them. A bound of 0 is no bound."""
    after = {"valid_after": utc_text(least)} if least else {}
    before = {"valid_before": utc_text(most)} if most else {}
    bounds = {"min_time": str(least)} | ({"max_time": str(most)} if most else {})
    return {**after, **before, "preconditions": {"timebounds": bounds}}


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


def page(
    query: PageQuery, records: list[dict[str, object]], url: str, asked: Mapping[str, str]
) -> dict[str, object]:
    """A page of the records at `url`. Its links contain `asked`, the query parameters."""
    own = {"cursor": query.cursor, "limit": str(query.limit), "order": query.order}
    tokens = [str(each["paging_token"]) for each in records] or [query.cursor]
    back = "asc" if query.descending else "desc"
    return {
        "_links": page_links(url, {**asked, **own}, tokens[0], tokens[-1], back),
        "_embedded": {"records": records},
    }
