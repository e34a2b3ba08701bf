"""Reads the answers of getTransaction and sendTransaction about one transaction. Pure.

See docs/decisions/0117-one-claim-for-a-hash.md.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stellar_sdk import xdr

from services.api.errors import TransactionRefusedError
from services.api.transactions.failures import Failure, failure_in
from shared.chain.decode.records import HorizonTransaction, base64_bytes
from shared.domain.instant import utc_text
from shared.domain.position import toid

NOT_FOUND = "NOT_FOUND"


@dataclass(frozen=True, slots=True)
class LedgerTimes:
    """RPC's oldest and latest ledger, and when the latest one closed, in Unix seconds."""

    oldest: int
    latest: int
    closed: int


@dataclass(frozen=True, slots=True)
class SettledTransaction:
    """A transaction in a ledger. `fee` is in stroops. `failure` is None if it has succeeded."""

    record: HorizonTransaction
    fee: int
    failure: Failure | None


def read_settled(answer: Mapping[str, Any], tx_hash: str) -> SettledTransaction:
    """The transaction in an answer of getTransaction. Raises KeyError, TypeError, ValueError."""
    ledger, successful = int(answer["ledger"]), answer["status"] == "SUCCESS"
    envelope, result, meta = (
        base64_bytes(answer[name]) for name in ("envelopeXdr", "resultXdr", "resultMetaXdr")
    )
    record = HorizonTransaction(
        toid(ledger, int(answer["applicationOrder"])),
        tx_hash,
        ledger,
        utc_text(int(answer["createdAt"])),
        successful,
        envelope,
        result,
        meta,
    )
    outcome = xdr.TransactionResult.from_xdr_bytes(result)
    failure = None if successful else _failure(answer, outcome)
    return SettledTransaction(record, outcome.fee_charged.int64, failure)


def _failure(answer: Mapping[str, Any], outcome: xdr.TransactionResult) -> Failure:
    """The contract's error if diagnostic events show one, else the network's code."""
    found = failure_in(list(_diagnostics(answer)))
    return found if found.code is not None else Failure(None, None, code_of(outcome))


def _diagnostics(answer: Mapping[str, Any]) -> Iterator[bytes]:
    """The diagnostic events. Depending on its version, the server sends them in one of two fields.

    Later versions leave both out: then the events are in the meta.
    """
    shown = answer.get("diagnosticEventsXdr") or (answer.get("events") or {}).get(
        "diagnosticEventsXdr"
    )
    if shown:
        yield from (base64.b64decode(each, validate=True) for each in shown)
        return
    meta = xdr.TransactionMeta.from_xdr(answer["resultMetaXdr"])
    if meta.v4:
        yield from (each.to_xdr_bytes() for each in meta.v4.diagnostic_events)
    elif meta.v3 and meta.v3.soroban_meta:
        yield from (each.to_xdr_bytes() for each in meta.v3.soroban_meta.diagnostic_events)


def code_of(outcome: xdr.TransactionResult) -> str:
    """The network's code: of the operation if that has failed, else of the transaction."""
    results = outcome.result.results
    if outcome.result.code is xdr.TransactionResultCode.txFAILED and results:
        body = results[0].tr
        if body is None:
            return results[0].code.name
        if body.invoke_host_function_result:
            return body.invoke_host_function_result.code.name
        if body.restore_footprint_result:
            return body.restore_footprint_result.code.name
    return outcome.result.code.name


def ledger_times(answer: Mapping[str, Any]) -> LedgerTimes:
    """The times in an answer of getTransaction. Raises KeyError, ValueError, TypeError."""
    names = ("oldestLedger", "latestLedger", "latestLedgerCloseTime")
    return LedgerTimes(*(int(answer[name]) for name in names))


def is_expired(times: LedgerTimes, max_time: int, after: int) -> bool:
    """True if a transaction that RPC does not find can be in no ledger, now and later.

    It is in no ledger up to `after`. RPC must have all ledgers since then, and the last one must
    have closed after the upper time bound.
    """
    return times.closed > max_time > 0 and times.oldest <= after + 1


NETWORK_ERRORS: Mapping[str, str] = {
    "txTOO_EARLY": "The transaction is not valid yet (lower time bound).",
    "txTOO_LATE": "The transaction is not valid any more (upper time bound). Prepare it again.",
    "txBAD_SEQ": "Another transaction has used the sequence number. Prepare it again.",
    "txBAD_AUTH": "The signatures are not enough for this account, or are for another network.",
    "txBAD_AUTH_EXTRA": "There is a signature that is not needed. Remove it.",
    "txINSUFFICIENT_BALANCE": "The account has too few lumens for the fee and its reserve.",
    "txNO_ACCOUNT": "The account does not exist on this network.",
    "txINSUFFICIENT_FEE": "The network wants a higher fee at the moment. Prepare it again.",
    "txSOROBAN_INVALID": "The resources of the call are not valid. Prepare it again.",
    "txMALFORMED": "The transaction is malformed.",
    "INVOKE_HOST_FUNCTION_TRAPPED": "The call was stopped. It may need more than it declared, "
    "because the contract's state has changed. Prepare it again.",
    "INVOKE_HOST_FUNCTION_RESOURCE_LIMIT_EXCEEDED": "The call needed more resources than it "
    "declared, because the contract's state has changed. Prepare it again.",
    "INVOKE_HOST_FUNCTION_ENTRY_ARCHIVED": "Entries of the contract are archived. Prepare it "
    "again: the first transaction then restores them.",
    "INVOKE_HOST_FUNCTION_INSUFFICIENT_REFUNDABLE_FEE": "The fee for resources was too low. "
    "Prepare it again.",
}


def network_error(code: str) -> TransactionRefusedError:
    """The error for a code of the network."""
    sentence = NETWORK_ERRORS.get(code, "The network refuses the transaction.")
    return TransactionRefusedError(code, sentence)
