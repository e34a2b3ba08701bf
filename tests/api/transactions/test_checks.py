"""An envelope that is not what was asked does not leave the API. Each part is altered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from stellar_sdk import (
    Address,
    InvokeHostFunction,
    Keypair,
    MuxedAccount,
    SorobanDataBuilder,
    TextMemo,
    TimeBounds,
    TransactionEnvelope,
    scval,
    xdr,
)
from stellar_sdk.preconditions import Preconditions

from deploy.simulator.chain import accounts
from services.api.transactions.calls import Action, ActionCall
from services.api.transactions.checks import WrongEnvelopeError, check_prepared
from services.api.transactions.envelopes import Terms, assembled, invocation, restoration

ALICE, BOB, MALLORY = (accounts.address(name) for name in ("alice", "bob", "carol"))
PASSPHRASE = "a network of the tests"
TERMS = Terms(ALICE, 8, 100, 1_770_000_300, PASSPHRASE)
CALL = ActionCall(accounts.STREAMS, Action.CREATE, (ALICE, BOB, accounts.TOKEN, 1_000_000, 1000))
TOP_UP = ActionCall(accounts.STREAMS, Action.TOP_UP, (ALICE, 7, 5))
PAUSE = ActionCall(accounts.STREAMS, Action.PAUSE, (ALICE, 7))


def function_of(contract: str, name: str, *arguments: xdr.SCVal) -> xdr.SorobanAuthorizedFunction:
    kind = xdr.SorobanAuthorizedFunctionType.SOROBAN_AUTHORIZED_FUNCTION_TYPE_CONTRACT_FN
    args = xdr.InvokeContractArgs(
        Address(contract).to_xdr_sc_address(), xdr.SCSymbol(name.encode()), list(arguments)
    )
    return xdr.SorobanAuthorizedFunction(kind, contract_fn=args)


def transfer(
    token: str = accounts.TOKEN,
    payer: str = ALICE,
    payee: str = accounts.STREAMS,
    amount: int = 1_000_000,
    *,
    name: str = "transfer",
    below: tuple[xdr.SorobanAuthorizedInvocation, ...] = (),
) -> xdr.SorobanAuthorizedInvocation:
    arguments = (scval.to_address(payer), scval.to_address(payee), scval.to_int128(amount))
    return xdr.SorobanAuthorizedInvocation(function_of(token, name, *arguments), list(below))


def entry(
    root: xdr.SorobanAuthorizedFunction, *below: xdr.SorobanAuthorizedInvocation
) -> xdr.SorobanAuthorizationEntry:
    source = xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT
    tree = xdr.SorobanAuthorizedInvocation(root, list(below))
    return xdr.SorobanAuthorizationEntry(xdr.SorobanCredentials(source), tree)


def args_of(envelope: TransactionEnvelope) -> xdr.InvokeContractArgs:
    operation = envelope.transaction.operations[0]
    assert isinstance(operation, InvokeHostFunction)
    assert operation.host_function.invoke_contract
    return operation.host_function.invoke_contract


def authorized(
    call: ActionCall, *below: xdr.SorobanAuthorizedInvocation
) -> xdr.SorobanAuthorizationEntry:
    args = args_of(invocation(call, TERMS))
    kind = xdr.SorobanAuthorizedFunctionType.SOROBAN_AUTHORIZED_FUNCTION_TYPE_CONTRACT_FN
    return entry(xdr.SorobanAuthorizedFunction(kind, contract_fn=args), *below)


def prepared(call: ActionCall, *entries: xdr.SorobanAuthorizationEntry) -> TransactionEnvelope:
    data = SorobanDataBuilder().set_resource_fee(5000).build()
    return assembled(invocation(call, TERMS), data, entries)


def check(envelope: TransactionEnvelope, call: ActionCall, token: str | None = None) -> None:
    check_prepared(envelope.to_xdr(), call, TERMS, token=token)


@pytest.mark.parametrize(
    ("call", "token", "below"),
    [
        (CALL, accounts.TOKEN, (transfer(),)),
        (TOP_UP, accounts.TOKEN, (transfer(amount=5),)),
        (PAUSE, None, ()),
    ],
    ids=lambda each: getattr(each, "action", ""),
)
def test_what_was_asked_passes(
    call: ActionCall, token: str | None, below: tuple[xdr.SorobanAuthorizedInvocation, ...]
) -> None:
    check(prepared(call, authorized(call, *below)), call, token)


def argument(number: int, value: xdr.SCVal) -> Callable[[TransactionEnvelope], None]:
    def alter(envelope: TransactionEnvelope) -> None:
        args_of(envelope).args[number] = value

    return alter


def field(name: str, value: Any) -> Callable[[TransactionEnvelope], None]:
    def alter(envelope: TransactionEnvelope) -> None:
        setattr(envelope.transaction, name, value)

    return alter


def contract(envelope: TransactionEnvelope) -> None:
    args_of(envelope).contract_address = Address(accounts.STRANGER).to_xdr_sc_address()


def other_function(envelope: TransactionEnvelope) -> None:
    args_of(envelope).function_name = xdr.SCSymbol(b"transfer_admin")


def allowed_function(envelope: TransactionEnvelope) -> None:
    args_of(envelope).function_name = xdr.SCSymbol(b"withdraw")


def one_argument_more(envelope: TransactionEnvelope) -> None:
    args_of(envelope).args.append(scval.to_void())


def operation_source(envelope: TransactionEnvelope) -> None:
    envelope.transaction.operations[0].source = MuxedAccount(MALLORY)


def second_operation(envelope: TransactionEnvelope) -> None:
    envelope.transaction.operations *= 2


def signature(envelope: TransactionEnvelope) -> None:
    envelope.sign(Keypair.random())


def data_fee(envelope: TransactionEnvelope) -> None:
    data = envelope.transaction.soroban_data
    assert data
    data.resource_fee = xdr.Int64(4000)


ALTERED: Mapping[str, Callable[[TransactionEnvelope], None]] = {
    "source": field("source", MuxedAccount(MALLORY)),
    "muxed source": field("source", MuxedAccount(ALICE, 7)),
    "sequence": field("sequence", 9),
    "fee": field("fee", 5101),
    "resource fee": data_fee,
    "no time bounds": field("preconditions", None),
    "max time": field("preconditions", Preconditions(time_bounds=TimeBounds(0, 1_770_000_301))),
    "min time": field("preconditions", Preconditions(time_bounds=TimeBounds(1, 1_770_000_300))),
    "memo": field("memo", TextMemo("hello")),
    "signature": signature,
    "contract": contract,
    "other function": other_function,
    "allowed function": allowed_function,
    "operation's source": operation_source,
    "second operation": second_operation,
    "one argument more": one_argument_more,
    "sender": argument(0, scval.to_address(MALLORY)),
    "recipient": argument(1, scval.to_address(MALLORY)),
    "token": argument(2, scval.to_address(accounts.GOLD)),
    "amount": argument(3, scval.to_int128(1_000_001)),
    "amount of another type": argument(3, scval.to_uint64(1_000_000)),
    "duration": argument(4, scval.to_uint64(1001)),
}


@pytest.mark.parametrize("alter", ALTERED.values(), ids=ALTERED.keys())
def test_an_altered_envelope_is_refused(alter: Callable[[TransactionEnvelope], None]) -> None:
    envelope = prepared(CALL, authorized(CALL, transfer()))
    alter(envelope)
    with pytest.raises(WrongEnvelopeError):
        check(envelope, CALL, accounts.TOKEN)


OTHER = ActionCall(accounts.STREAMS, Action.CREATE, (*CALL.values[:3], 2_000_000, 1000))
AUTHORIZATIONS: Mapping[str, xdr.SorobanAuthorizationEntry] = {
    "another amount": authorized(OTHER, transfer()),
    "another contract": entry(function_of(accounts.STRANGER, "create_stream"), transfer()),
    "only a transfer": entry(transfer().function),
    "transfer of more": authorized(CALL, transfer(amount=1_000_001)),
    "transfer of another token": authorized(CALL, transfer(token=accounts.GOLD)),
    "transfer to somebody": authorized(CALL, transfer(payee=MALLORY)),
    "transfer of somebody": authorized(CALL, transfer(payer=MALLORY)),
    "another function of the token": authorized(CALL, transfer(name="approve")),
    "a second transfer": authorized(CALL, transfer(), transfer()),
    "a call below the transfer": authorized(CALL, transfer(below=(transfer(),))),
}


@pytest.mark.parametrize("given", AUTHORIZATIONS.values(), ids=AUTHORIZATIONS.keys())
def test_an_authorization_of_something_else_is_refused(
    given: xdr.SorobanAuthorizationEntry,
) -> None:
    with pytest.raises(WrongEnvelopeError):
        check(prepared(CALL, given), CALL, accounts.TOKEN)


def test_a_call_that_takes_no_token_authorizes_no_transfer() -> None:
    with pytest.raises(WrongEnvelopeError, match="authorization"):
        check(prepared(PAUSE, authorized(PAUSE, transfer())), PAUSE)


def test_a_second_authorization_is_refused() -> None:
    given = authorized(CALL, transfer())
    with pytest.raises(WrongEnvelopeError, match="authorization"):
        check(prepared(CALL, given, given), CALL, accounts.TOKEN)


def test_credentials_of_another_account_are_refused() -> None:
    given = authorized(CALL, transfer())
    given.credentials = xdr.SorobanCredentials(
        xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_ADDRESS,
        address=xdr.SorobanAddressCredentials(
            Address(MALLORY).to_xdr_sc_address(), xdr.Int64(1), xdr.Uint32(9), scval.to_void()
        ),
    )
    with pytest.raises(WrongEnvelopeError, match="authorization"):
        check(prepared(CALL, given), CALL, accounts.TOKEN)


def test_a_call_in_place_of_a_restoration_is_refused() -> None:
    data = SorobanDataBuilder().set_resource_fee(5000).build()
    restoring = restoration(data, TERMS).to_xdr()
    check_prepared(restoring, CALL, TERMS, token=None, restores=True)
    with pytest.raises(WrongEnvelopeError, match="call"):
        check_prepared(restoring, CALL, TERMS, token=None)
    with pytest.raises(WrongEnvelopeError, match="call"):
        check_prepared(prepared(CALL).to_xdr(), CALL, TERMS, token=None, restores=True)
