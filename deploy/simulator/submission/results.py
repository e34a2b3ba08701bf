"""The result and the meta of a submitted transaction, as stellar-core writes them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from stellar_sdk import xdr

from deploy.simulator.chain.entries import (
    account_entry,
    account_ledger_entry,
    changes,
    ledger_entry,
)
from deploy.simulator.chain.storage_history import StoredEntry
from deploy.simulator.chain.xdr import AFTER_ALL, commitment, fee_event
from deploy.simulator.submission.envelope import Submission
from deploy.simulator.submission.state import EntryDiff

InvokeCode = xdr.InvokeHostFunctionResultCode
_PLAIN = xdr.ExtensionPoint(0)


class Fees(NamedTuple):
    """In stroops: what was taken before a transaction, and what was given back after it.

    `lumens` is what the source account had in between.
    """

    taken: int
    refund: int
    lumens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionOutcome:
    """What a transaction did in its ledger. `result` is that of its operation."""

    result: xdr.OperationResultTr
    successful: bool
    fees: Fees
    events: Sequence[xdr.ContractEvent] = ()
    returned: xdr.SCVal | None = None
    diffs: Sequence[EntryDiff] = ()
    diagnostics: Sequence[xdr.DiagnosticEvent] = ()


def invoked(code: InvokeCode) -> xdr.OperationResultTr:
    """The result of a call that failed."""
    inner = xdr.InvokeHostFunctionResult(code)
    kind = xdr.OperationType.INVOKE_HOST_FUNCTION
    return xdr.OperationResultTr(kind, invoke_host_function_result=inner)


def succeeded(returned: xdr.SCVal, events: Sequence[xdr.ContractEvent]) -> xdr.OperationResultTr:
    """The result of a call that succeeded, with the hash of its return value and events."""
    digest = xdr.Hash(commitment(returned, events))
    inner = xdr.InvokeHostFunctionResult(InvokeCode.INVOKE_HOST_FUNCTION_SUCCESS, digest)
    kind = xdr.OperationType.INVOKE_HOST_FUNCTION
    return xdr.OperationResultTr(kind, invoke_host_function_result=inner)


def restored() -> xdr.OperationResultTr:
    """The result of a RestoreFootprint."""
    code = xdr.RestoreFootprintResultCode.RESTORE_FOOTPRINT_SUCCESS
    kind = xdr.OperationType.RESTORE_FOOTPRINT
    return xdr.OperationResultTr(kind, restore_footprint_result=xdr.RestoreFootprintResult(code))


def transaction_result(outcome: TransactionOutcome) -> xdr.TransactionResult:
    """The result of the transaction."""
    codes = xdr.TransactionResultCode
    code = codes.txSUCCESS if outcome.successful else codes.txFAILED
    inner = xdr.OperationResult(xdr.OperationResultCode.opINNER, outcome.result)
    fee = xdr.Int64(outcome.fees.taken - outcome.fees.refund)
    body = xdr.TransactionResultResult(code, results=[inner])
    return xdr.TransactionResult(fee, body, xdr.TransactionResultExt(0))


def meta(submission: Submission, outcome: TransactionOutcome, ledger: int) -> xdr.TransactionMeta:
    """The meta of the transaction, in version 4."""
    source, sequence = submission.source, submission.sequence
    before, after = (
        account_ledger_entry(account_entry(source, number, outcome.fees.lumens), at)
        for number, at in ((sequence - 1, ledger - 1), (sequence, ledger))
    )
    written = [change for each in outcome.diffs for change in _changes(each, ledger)]
    operation = xdr.OperationMetaV2(_PLAIN, xdr.LedgerEntryChanges(written), list(outcome.events))
    extension = xdr.SorobanTransactionMetaExt(0)
    returned = outcome.returned if outcome.successful else None
    return xdr.TransactionMeta(
        4,
        v4=xdr.TransactionMetaV4(
            ext=_PLAIN,
            tx_changes_before=xdr.LedgerEntryChanges(changes(before, after)),
            operations=[operation] if outcome.successful else [],
            tx_changes_after=xdr.LedgerEntryChanges([]),
            soroban_meta=xdr.SorobanTransactionMetaV2(extension, returned),
            events=_fee_events(submission, outcome),
            diagnostic_events=list(outcome.diagnostics),
        ),
    )


def _fee_events(submission: Submission, outcome: TransactionOutcome) -> list[xdr.TransactionEvent]:
    signed, fees = submission.signed(), outcome.fees
    refunded = [fee_event(signed, -fees.refund, AFTER_ALL)] if fees.refund else []
    return [fee_event(signed, fees.taken), *refunded]


def _changes(diff: EntryDiff, ledger: int) -> list[xdr.LedgerEntryChange]:
    before = stored_entry(diff.before) if diff.before else None
    return changes(before, ledger_entry(diff.after, ledger))


def stored_entry(stored: StoredEntry) -> xdr.LedgerEntry:
    """The ledger entry of a stored one."""
    return ledger_entry(xdr.LedgerEntryData.from_xdr(stored.data), stored.modified)
