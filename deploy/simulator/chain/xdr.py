"""The result and the meta of a transaction, as stellar-core writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from stellar_sdk import scval, xdr

from deploy.simulator.chain.entries import (
    EntryChange,
    account_entry,
    account_ledger_entry,
    changes,
    entry_data,
    ledger_entry,
)
from deploy.simulator.chain.envelopes import BASE_FEE, RESOURCE_FEE, SignedTransaction
from deploy.simulator.chain.values import Emission, Typed

_NOTHING = xdr.LedgerEntryChanges([])
_PLAIN = xdr.ExtensionPoint(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationOutcome:
    """The outcome of an invocation: its return value, events, and changes of entries."""

    events: Sequence[xdr.ContractEvent] = ()
    changes: Sequence[EntryChange] = ()
    returned: xdr.SCVal | None = None
    successful: bool = True

    def commitment(self) -> bytes:
        """The hash in the result."""
        return commitment(self.returned or scval.to_void(), self.events)


def commitment(returned: xdr.SCVal, events: Sequence[xdr.ContractEvent]) -> bytes:
    """The hash of a call that succeeded: SHA-256 of an InvokeHostFunctionSuccessPreImage."""
    image = xdr.InvokeHostFunctionSuccessPreImage(returned, list(events))
    return sha256(image.to_xdr_bytes()).digest()


def fee_charged(signed: SignedTransaction, *, soroban: bool) -> int:
    """The fee of the transaction in stroops."""
    operations = 2 if signed.inner_hash else 1
    return BASE_FEE * operations + (RESOURCE_FEE if soroban else 0)


def invocation_result(signed: SignedTransaction, run: InvocationOutcome) -> xdr.TransactionResult:
    """The result of a call. After a success, it has the hash of the return value and events."""
    codes = xdr.InvokeHostFunctionResultCode
    inner = (
        xdr.InvokeHostFunctionResult(codes.INVOKE_HOST_FUNCTION_SUCCESS, xdr.Hash(run.commitment()))
        if run.successful
        else xdr.InvokeHostFunctionResult(codes.INVOKE_HOST_FUNCTION_TRAPPED)
    )
    kind = xdr.OperationType.INVOKE_HOST_FUNCTION
    outcome = xdr.OperationResultTr(kind, invoke_host_function_result=inner)
    return _result(signed, outcome, run.successful, fee_charged(signed, soroban=True))


def payment_result(signed: SignedTransaction) -> xdr.TransactionResult:
    """The result of a successful classic payment."""
    outcome = xdr.OperationResultTr(
        xdr.OperationType.PAYMENT,
        payment_result=xdr.PaymentResult(xdr.PaymentResultCode.PAYMENT_SUCCESS),
    )
    return _result(signed, outcome, True, fee_charged(signed, soroban=False))


def _result(
    signed: SignedTransaction, outcome: xdr.OperationResultTr, successful: bool, fee: int
) -> xdr.TransactionResult:
    codes = xdr.TransactionResultCode
    code = codes.txSUCCESS if successful else codes.txFAILED
    results = [xdr.OperationResult(xdr.OperationResultCode.opINNER, outcome)]
    if signed.inner_hash is None:
        body = xdr.TransactionResultResult(code, results=results)
    else:
        bumped = codes.txFEE_BUMP_INNER_SUCCESS if successful else codes.txFEE_BUMP_INNER_FAILED
        inner = xdr.InnerTransactionResult(
            xdr.Int64(0),  # the sponsor pays the whole fee
            xdr.InnerTransactionResultResult(code, results),
            xdr.InnerTransactionResultExt(0),
        )
        pair = xdr.InnerTransactionResultPair(xdr.Hash(bytes.fromhex(signed.inner_hash)), inner)
        body = xdr.TransactionResultResult(bumped, inner_result_pair=pair)
    return xdr.TransactionResult(xdr.Int64(fee), body, xdr.TransactionResultExt(0))


def meta_v4(
    signed: SignedTransaction, ledger: int, run: InvocationOutcome, touched: Sequence[str]
) -> xdr.TransactionMeta:
    """A meta of protocol 23 and later: the events are in the operation.

    The meta also contains events that a reader must not use: the fee event and, if the call failed,
    diagnostic copies of events that did not happen.
    """
    operation = xdr.OperationMetaV2(_PLAIN, _entry_changes(ledger, touched, run), list(run.events))
    soroban = xdr.SorobanTransactionMetaV2(xdr.SorobanTransactionMetaExt(0), run.returned)
    failed = not run.successful
    return xdr.TransactionMeta(
        4,
        v4=xdr.TransactionMetaV4(
            ext=_PLAIN,
            tx_changes_before=_account_changes(signed, ledger),
            operations=[] if failed else [operation],
            tx_changes_after=_NOTHING,
            soroban_meta=soroban if touched else None,
            events=[fee_event(signed, fee_charged(signed, soroban=bool(touched)))],
            diagnostic_events=[xdr.DiagnosticEvent(False, each) for each in run.events]
            if failed
            else [],
        ),
    )


def meta_v3(
    signed: SignedTransaction, ledger: int, run: InvocationOutcome, touched: Sequence[str]
) -> xdr.TransactionMeta:
    """A meta of protocols 20 to 22: the events are in the transaction, all in operation 0."""
    events = list(run.events)
    soroban = xdr.SorobanTransactionMeta(
        ext=xdr.SorobanTransactionMetaExt(0),
        events=events if run.successful else [],
        return_value=run.returned or scval.to_void(),
        diagnostic_events=[xdr.DiagnosticEvent(run.successful, each) for each in events],
    )
    operation = xdr.OperationMeta(_entry_changes(ledger, touched, run))
    return xdr.TransactionMeta(
        3,
        v3=xdr.TransactionMetaV3(
            ext=_PLAIN,
            tx_changes_before=_account_changes(signed, ledger),
            operations=[operation] if run.successful else [],
            tx_changes_after=_NOTHING,
            soroban_meta=soroban,
        ),
    )


BEFORE_ALL = xdr.TransactionEventStage.TRANSACTION_EVENT_STAGE_BEFORE_ALL_TXS
AFTER_ALL = xdr.TransactionEventStage.TRANSACTION_EVENT_STAGE_AFTER_ALL_TXS


def fee_event(
    signed: SignedTransaction, fee: int, stage: xdr.TransactionEventStage = BEFORE_ALL
) -> xdr.TransactionEvent:
    """The event of the fee in stroops that is taken, or given back if it is negative (CAP-67)."""
    topics = (Typed("symbol", "fee"), Typed("address", signed.fee_source))
    return xdr.TransactionEvent(stage, Emission(signed.native, topics, Typed("i128", fee)).to_xdr())


def _account_changes(signed: SignedTransaction, ledger: int) -> xdr.LedgerEntryChanges:
    """The entry changes of the source account: its sequence number rises by one."""
    before, after = (
        account_ledger_entry(account_entry(signed.source, sequence), at)
        for sequence, at in ((signed.sequence - 1, ledger - 1), (signed.sequence, ledger))
    )
    return xdr.LedgerEntryChanges(changes(before, after))


def _entry_changes(
    ledger: int, touched: Sequence[str], run: InvocationOutcome
) -> xdr.LedgerEntryChanges:
    """The changes of an operation: one more entry of each touched contract, and those of the call.

    The first entries are read and written by every call, as real contracts do it.
    """
    written = [
        change
        for each in touched
        for change in _written(ledger, each, _ENTRY, _numbered(ledger - 1), _numbered(ledger))
    ]
    for each in run.changes:
        written += _written(ledger, *each)
    return xdr.LedgerEntryChanges(written)


_ENTRY = scval.to_symbol("entry")


def _numbered(ledger: int) -> xdr.SCVal:
    return scval.to_struct({"ledger": scval.to_uint32(ledger)})


def _written(
    ledger: int, contract_id: str, key: xdr.SCVal, before: xdr.SCVal | None, after: xdr.SCVal
) -> list[xdr.LedgerEntryChange]:
    now = ledger_entry(entry_data(contract_id, key, after), ledger)
    if before is None:
        return changes(None, now)
    return changes(ledger_entry(entry_data(contract_id, key, before), ledger - 1), now)
