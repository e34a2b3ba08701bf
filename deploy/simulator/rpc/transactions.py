"""The methods getTransaction and getTransactions.

Limits, texts and codes are those of stellar-rpc v28 and v30 (docs/architecture.md, "RPC").
"""

from __future__ import annotations

from string import hexdigits

from deploy.simulator.chain.ledger import Transaction
from deploy.simulator.chain.server_view import ServerView
from deploy.simulator.faults.faults import Faults
from deploy.simulator.problems import INVALID_PARAMS, INVALID_REQUEST, RpcProblem
from deploy.simulator.rpc.parameters import check_format, item, number, text
from shared.domain.position import toid

Json = dict[str, object]
LISTED, MOST_LISTED = 50, 200
"""The default and the largest number of transactions in an answer of getTransactions."""
_ONE_TRANSACTION = toid(0, 1)


def read_transaction(params: Json, chain: ServerView, faults: Faults) -> Json:
    """The answer of getTransaction. Raises RpcProblem -32602 if the hash is no hash."""
    check_format(params, "GetTransactionRequest")
    digest = text(params, "GetTransactionRequest.hash")
    if len(digest) != 64:
        raise RpcProblem(INVALID_PARAMS, f"unexpected hash length ({len(digest)})")
    if odd := next((each for each in digest if each not in hexdigits), ""):
        reason = f"encoding/hex: invalid byte: U+{ord(odd):04X} '{odd}'"
        raise RpcProblem(INVALID_PARAMS, f"incorrect hash: {reason}")
    found = chain.transaction(digest)
    if found is None:
        nothing = {"applicationOrder": 0, "feeBump": False, "events": {}, "ledger": 0}
        shown = {"status": "NOT_FOUND", "txHash": digest} | nothing | {"createdAt": "0"}
    else:
        shown = _details(faults.distort("getTransaction", found), digest)
        shown["createdAt"] = str(found.closed_at)
    return {
        "latestLedger": chain.latest.sequence,
        "latestLedgerCloseTime": str(chain.latest.closed_at),
        "oldestLedger": chain.oldest.sequence,
        "oldestLedgerCloseTime": str(chain.oldest.closed_at),
        **shown,
    }


def read_transactions(params: Json, chain: ServerView, faults: Faults) -> Json:
    """The answer of getTransactions: transactions of any contract, in the order of the chain.

    They begin at a ledger, or after a cursor, which is a TOID. Raises RpcProblem -32600 if the
    start is outside the history or the limit is too high, -32602 if a ledger is missing.
    """
    after, limit = _page(params, chain.oldest.sequence, chain.latest.sequence)
    found: list[Transaction] = []
    read = -1  # after a cursor above the last ledger, nothing is read
    for sequence in range(after >> 32, chain.latest.sequence + 1):
        if (ledger := chain.ledger(sequence)) is None:
            reason = f"database does not contain metadata for ledger: {sequence}"
            raise RpcProblem(INVALID_PARAMS, reason)
        found += [each for each in ledger.transactions if each.toid > after][: limit - len(found)]
        read = found[-1].toid if found and found[-1].ledger == sequence else ledger.toid
        if len(found) == limit:
            break
    listed = [_details(faults.distort("getTransaction", each), each.hash) for each in found]
    times = [{"createdAt": each.closed_at} for each in found]
    return {
        "transactions": [shown | time for shown, time in zip(listed, times, strict=True)],
        "latestLedger": chain.latest.sequence,
        "latestLedgerCloseTimestamp": chain.latest.closed_at,
        "oldestLedger": chain.oldest.sequence,
        "oldestLedgerCloseTimestamp": chain.oldest.closed_at,
        "cursor": str(read + 1),
    }


def _page(params: Json, oldest: int, latest: int) -> tuple[int, int]:
    """The TOID after which to begin, and the limit."""
    field = "GetTransactionsRequest.pagination"
    asked = item(params.get("pagination"), field, "LedgerPaginationOptions")
    limit = number(asked, "LedgerPaginationOptions.pagination.limit", "uint") or LISTED
    start = number(params, "GetTransactionsRequest.startLedger", "uint32")
    if cursor := text(asked, "LedgerPaginationOptions.pagination.cursor"):
        if start:
            raise RpcProblem(INVALID_REQUEST, "startLedger and cursor cannot both be set")
        after = int(cursor) // _ONE_TRANSACTION * _ONE_TRANSACTION
    elif oldest <= start <= latest:
        after = toid(start)
    else:
        reason = f"start ledger must be between the oldest ledger: {oldest} and the latest ledger:"
        raise RpcProblem(INVALID_REQUEST, f"{reason} {latest} for this rpc instance")
    if limit > MOST_LISTED:
        raise RpcProblem(INVALID_REQUEST, f"limit must not exceed {MOST_LISTED}")
    check_format(params, "GetTransactionsRequest")
    return after, limit


def _details(found: Transaction, digest: str) -> Json:
    events = [[event.xdr for event in events] for events in found.operations]
    return {
        "status": "SUCCESS" if found.successful else "FAILED",
        "txHash": digest,
        "applicationOrder": found.order,
        "feeBump": found.signed.inner_hash is not None,
        "envelopeXdr": found.signed.envelope,
        "resultXdr": found.result,
        **({} if found.meta is None else {"resultMetaXdr": found.meta}),
        "events": {
            **({"transactionEventsXdr": list(found.fee_events)} if found.fee_events else {}),
            **({"contractEventsXdr": events} if events else {}),
        },
        "ledger": found.ledger,
    }
