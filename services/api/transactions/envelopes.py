"""Builds unsigned envelopes with stellar-sdk. Pure.

The operation is the same, byte for byte, as that of stellar-sdk's own contract client.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stellar_sdk import (
    Account,
    InvokeHostFunction,
    TransactionBuilder,
    TransactionEnvelope,
    scval,
    xdr,
)

from services.api.transactions.calls import ActionCall, ArgumentType


@dataclass(frozen=True, slots=True)
class Terms:
    """What an envelope says besides its operation.

    `sequence` is the number of the transaction itself. `inclusion_fee` is in stroops, `max_time`
    in Unix seconds.
    """

    source: str
    sequence: int
    inclusion_fee: int
    max_time: int
    passphrase: str


_TO_SCVAL = {
    ArgumentType.ADDRESS: scval.to_address,
    ArgumentType.U64: scval.to_uint64,
    ArgumentType.I128: scval.to_int128,
}


def invocation(call: ActionCall, terms: Terms) -> TransactionEnvelope:
    """The envelope of a call, ready to be simulated. Its fee pays for the inclusion only."""
    arguments = [
        _TO_SCVAL[parameter.type](value)  # type: ignore[operator]
        for parameter, value in zip(call.function.parameters, call.values, strict=True)
    ]
    builder = _builder(terms)
    builder.append_invoke_contract_function_op(call.contract_id, call.function.name, arguments)
    return builder.build()


def assembled(
    envelope: TransactionEnvelope,
    data: xdr.SorobanTransactionData,
    authorization: Sequence[xdr.SorobanAuthorizationEntry],
) -> TransactionEnvelope:
    """The same envelope with the resources and the authorization that the simulation found."""
    complete = TransactionEnvelope.from_xdr(envelope.to_xdr(), envelope.network_passphrase)
    transaction = complete.transaction
    transaction.soroban_data = data
    transaction.fee += data.resource_fee.int64
    operation = transaction.operations[0]
    assert isinstance(operation, InvokeHostFunction)
    operation.auth = list(authorization)
    return complete


def restoration(data: xdr.SorobanTransactionData, terms: Terms) -> TransactionEnvelope:
    """The envelope that restores the archived entries in the footprint of `data`."""
    builder = _builder(terms)
    builder.append_restore_footprint_op()
    envelope = builder.build()
    envelope.transaction.soroban_data = data
    envelope.transaction.fee += data.resource_fee.int64
    return envelope


def _builder(terms: Terms) -> TransactionBuilder:
    account = Account(terms.source, terms.sequence - 1)  # the builder adds 1
    builder = TransactionBuilder(account, terms.passphrase, terms.inclusion_fee)
    builder.add_time_bounds(0, terms.max_time)
    return builder
