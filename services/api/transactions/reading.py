"""Reads envelopes: the call of the stream contract in them, and what stands around it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stellar_sdk import (
    Address,
    InvokeHostFunction,
    Operation,
    RestoreFootprint,
    TransactionEnvelope,
    scval,
    xdr,
)

from services.api.errors import EnvelopeRejectedError
from services.api.transactions.calls import ACTIONS, FUNCTIONS, Action, ActionCall, ArgumentType


@dataclass(frozen=True, slots=True)
class ReadEnvelope:
    """An envelope with one operation. `call` is None if it restores archived entries."""

    envelope: TransactionEnvelope
    operation: Operation
    call: ActionCall | None

    @property
    def source(self) -> str:
        """The account of the transaction."""
        return str(self.envelope.transaction.source.account_id)

    @property
    def hash(self) -> str:
        """The hash of the transaction, in hex."""
        return self.envelope.hash_hex()

    @property
    def max_time(self) -> int:
        """The upper time bound in Unix seconds; 0 if there is none."""
        preconditions = self.envelope.transaction.preconditions
        bounds = preconditions.time_bounds if preconditions else None
        return bounds.max_time if bounds else 0

    @property
    def resource_fee(self) -> int:
        """The fee for resources in stroops, a part of the transaction's fee."""
        data = self.envelope.transaction.soroban_data
        return data.resource_fee.int64 if data else 0


def read_envelope(text: str, passphrase: str, contract_id: str) -> ReadEnvelope:
    """Read a base64 envelope. Raises EnvelopeRejectedError unless it is one that we submit."""
    try:
        raw = xdr.TransactionEnvelope.from_xdr(text)
    except Exception:  # the SDK raises many kinds of errors for wrong bytes
        raise EnvelopeRejectedError("is not the base64 XDR of a TransactionEnvelope") from None
    if raw.type is xdr.EnvelopeType.ENVELOPE_TYPE_TX_FEE_BUMP:
        raise EnvelopeRejectedError(
            "is a fee bump; send the inner transaction itself, because a fee bump has another hash "
            "than the transaction that was prepared"
        )
    if raw.type is not xdr.EnvelopeType.ENVELOPE_TYPE_TX:
        raise EnvelopeRejectedError("must be an envelope of version 1")
    try:
        envelope = TransactionEnvelope.from_xdr_object(raw, passphrase)
    except Exception:
        raise EnvelopeRejectedError("has an operation that stellar-sdk cannot read") from None
    operations = envelope.transaction.operations
    if len(operations) != 1:
        raise EnvelopeRejectedError(f"must have one operation, not {len(operations)}")
    if operations[0].source is not None:
        raise EnvelopeRejectedError("must have an operation without a source of its own")
    if envelope.transaction.source.account_muxed_id is not None:
        raise EnvelopeRejectedError("must have a source G…; a call must not have a source M…")
    return ReadEnvelope(envelope, operations[0], _call(operations[0], contract_id))


def _call(operation: Operation, contract_id: str) -> ActionCall | None:
    if isinstance(operation, RestoreFootprint):
        return None
    function = operation.host_function if isinstance(operation, InvokeHostFunction) else None
    if function is None or function.invoke_contract is None:
        raise EnvelopeRejectedError("must call a function of the stream contract")
    return read_call(function.invoke_contract, contract_id)


def read_call(args: xdr.InvokeContractArgs, contract_id: str) -> ActionCall:
    """The call in an invocation. Raises EnvelopeRejectedError unless it is of our contract."""
    called = address_of(args.contract_address)
    name = args.function_name.sc_symbol.decode(errors="replace")
    if called != contract_id:
        raise EnvelopeRejectedError(f"calls contract {called}, not {contract_id}")
    if (action := ACTIONS.get(name)) is None:
        raise EnvelopeRejectedError(f"calls {name}; allowed are {', '.join(ACTIONS)}")
    return ActionCall(contract_id, action, _values(action, args.args))


def _values(action: Action, arguments: list[xdr.SCVal]) -> tuple[str | int, ...]:
    function = FUNCTIONS[action]
    try:
        return tuple(
            _FROM_SCVAL[parameter.type](value)
            for parameter, value in zip(function.parameters, arguments, strict=True)
        )
    except ValueError:
        kinds = ", ".join(f"{each.name} ({each.type})" for each in function.parameters)
        raise EnvelopeRejectedError(f"must call {function.name} with {kinds}") from None


def address_of(address: xdr.SCAddress) -> str:
    """The strkey of an address."""
    return str(Address.from_xdr_sc_address(address).address)


_FROM_SCVAL: Mapping[ArgumentType, Callable[[xdr.SCVal], str | int]] = {
    ArgumentType.ADDRESS: lambda value: str(scval.from_address(value).address),
    ArgumentType.U64: scval.from_uint64,
    ArgumentType.I128: scval.from_int128,
}
