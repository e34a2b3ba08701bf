"""The result and the meta of a transaction, as stellar-core writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from stellar_sdk import Keypair, scval, xdr

from deploy.simulator.chain.envelopes import BASE_FEE, RESOURCE_FEE, SignedTransaction
from deploy.simulator.chain.values import Emission, Typed, sc_address

_NOTHING = xdr.LedgerEntryChanges([])
_PLAIN = xdr.ExtensionPoint(0)


class EntryChange(NamedTuple):
    """An entry of a contract's storage before and after a call. `before` is None for a new one."""

    contract_id: str
    key: xdr.SCVal
    before: xdr.SCVal | None
    after: xdr.SCVal


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationOutcome:
    """The outcome of an invocation: its return value, events, and changes of entries."""

    events: Sequence[xdr.ContractEvent] = ()
    changes: Sequence[EntryChange] = ()
    returned: xdr.SCVal | None = None
    successful: bool = True

    def commitment(self) -> bytes:
        """The hash in the result, SHA-256 of an InvokeHostFunctionSuccessPreImage."""
        image = xdr.InvokeHostFunctionSuccessPreImage(self._value(), list(self.events))
        return sha256(image.to_xdr_bytes()).digest()

    def _value(self) -> xdr.SCVal:
        return scval.to_void() if self.returned is None else self.returned


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
            events=[_fee_event(signed, soroban=bool(touched))],
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


def _fee_event(signed: SignedTransaction, *, soroban: bool) -> xdr.TransactionEvent:
    fee = Emission(
        signed.native,
        (Typed("symbol", "fee"), Typed("address", signed.fee_source)),
        Typed("i128", fee_charged(signed, soroban=soroban)),
    )
    stage = xdr.TransactionEventStage.TRANSACTION_EVENT_STAGE_BEFORE_ALL_TXS
    return xdr.TransactionEvent(stage, fee.to_xdr())


def _account_changes(signed: SignedTransaction, ledger: int) -> xdr.LedgerEntryChanges:
    """The entry changes of the source account: its sequence number rises by one."""
    before = _entry(ledger - 1, account_entry(signed.source, signed.sequence - 1))
    return _changes(before, _entry(ledger, account_entry(signed.source, signed.sequence)))


def account_entry(
    address: str, sequence: int, lumens: int = 100_000_000_000, trustlines: int = 0
) -> xdr.AccountEntry:
    """An account with this sequence number and balance (stroops)."""
    return xdr.AccountEntry(
        account_id=Keypair.from_public_key(address).xdr_account_id(),
        balance=xdr.Int64(lumens),
        seq_num=xdr.SequenceNumber(xdr.Int64(sequence)),
        num_sub_entries=xdr.Uint32(trustlines),
        inflation_dest=None,
        flags=xdr.Uint32(0),
        home_domain=xdr.String32(b"local"),
        thresholds=xdr.Thresholds(b"\x01\x00\x00\x00"),
        signers=[],
        ext=xdr.AccountEntryExt(0),
    )


def _entry_changes(
    ledger: int, touched: Sequence[str], run: InvocationOutcome
) -> xdr.LedgerEntryChanges:
    """The changes of an operation: one more entry of each touched contract, and those of the call.

    The first entries are read and written by every call, as real contracts do it.
    """
    changes = [
        change
        for each in touched
        for change in _written(ledger, each, _ENTRY, _numbered(ledger - 1), _numbered(ledger))
    ]
    for each in run.changes:
        changes += _written(ledger, *each)
    return xdr.LedgerEntryChanges(changes)


_ENTRY = scval.to_symbol("entry")


def _numbered(ledger: int) -> xdr.SCVal:
    return scval.to_struct({"ledger": scval.to_uint32(ledger)})


def _written(
    ledger: int, contract_id: str, key: xdr.SCVal, before: xdr.SCVal | None, after: xdr.SCVal
) -> list[xdr.LedgerEntryChange]:
    kinds = xdr.LedgerEntryChangeType
    now = _data(ledger, contract_id, key, after)
    if before is None:
        return [xdr.LedgerEntryChange(kinds.LEDGER_ENTRY_CREATED, created=now)]
    old = _data(ledger - 1, contract_id, key, before)
    return _changes(old, now).ledger_entry_changes


def _data(ledger: int, contract_id: str, key: xdr.SCVal, value: xdr.SCVal) -> xdr.LedgerEntry:
    data = entry_data(contract_id, key, value)
    return xdr.LedgerEntry(xdr.Uint32(ledger), data, xdr.LedgerEntryExt(0))


def entry_data(contract_id: str, key: xdr.SCVal, value: xdr.SCVal) -> xdr.LedgerEntryData:
    """An entry of a contract's storage."""
    entry = xdr.ContractDataEntry(
        ext=_PLAIN,
        contract=sc_address(contract_id),
        key=key,
        durability=xdr.ContractDataDurability.PERSISTENT,
        val=value,
    )
    return xdr.LedgerEntryData(xdr.LedgerEntryType.CONTRACT_DATA, contract_data=entry)


def entry_key(contract_id: str, key: xdr.SCVal) -> xdr.LedgerKey:
    """The ledger key of an entry of a contract's storage."""
    durability = xdr.ContractDataDurability.PERSISTENT
    data = xdr.LedgerKeyContractData(sc_address(contract_id), key, durability)
    return xdr.LedgerKey(xdr.LedgerEntryType.CONTRACT_DATA, contract_data=data)


def _entry(ledger: int, account: xdr.AccountEntry) -> xdr.LedgerEntry:
    data = xdr.LedgerEntryData(xdr.LedgerEntryType.ACCOUNT, account=account)
    return xdr.LedgerEntry(xdr.Uint32(ledger), data, xdr.LedgerEntryExt(0))


def _changes(before: xdr.LedgerEntry, after: xdr.LedgerEntry) -> xdr.LedgerEntryChanges:
    kinds = xdr.LedgerEntryChangeType
    return xdr.LedgerEntryChanges(
        [
            xdr.LedgerEntryChange(kinds.LEDGER_ENTRY_STATE, state=before),
            xdr.LedgerEntryChange(kinds.LEDGER_ENTRY_UPDATED, updated=after),
        ]
    )
