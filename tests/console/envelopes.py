"""Envelopes of stellar-sdk, and answers of the API with them, for the page to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stellar_sdk import (
    Account,
    Address,
    Keypair,
    SorobanDataBuilder,
    StrKey,
    TransactionBuilder,
    TransactionEnvelope,
    scval,
    xdr,
)

PASSPHRASE = "Headrace simulated network ; 2026"
ALICE, BOB = (Keypair.from_raw_ed25519_seed(bytes([n]) * 32).public_key for n in (1, 2))
CONTRACT, TOKEN, OTHER = (StrKey.encode_contract(bytes([n]) * 32) for n in (3, 4, 5))
FUNCTIONS = {
    "create": "create_stream",
    "top_up": "top_up_stream",
    "withdraw": "withdraw",
    "pause": "pause_stream",
    "resume": "resume_stream",
    "cancel": "cancel_stream",
}


@dataclass(frozen=True)
class Call:
    """A call of a contract, to which the source agrees."""

    contract: str
    function: str
    arguments: tuple[xdr.SCVal, ...]
    below: tuple[Call, ...] = ()

    def args(self) -> xdr.InvokeContractArgs:
        name = xdr.SCSymbol(self.function.encode())
        address = Address(self.contract).to_xdr_sc_address()
        return xdr.InvokeContractArgs(address, name, list(self.arguments))

    def agreed(self) -> xdr.SorobanAuthorizedInvocation:
        kind = xdr.SorobanAuthorizedFunctionType.SOROBAN_AUTHORIZED_FUNCTION_TYPE_CONTRACT_FN
        function = xdr.SorobanAuthorizedFunction(kind, contract_fn=self.args())
        return xdr.SorobanAuthorizedInvocation(function, [each.agreed() for each in self.below])


def request(action: str, **more: Any) -> dict[str, Any]:
    """What a reader asks for."""
    given: dict[str, Any] = {"action": action, "source": ALICE}
    if action == "create":
        given |= {"recipient": BOB, "token": TOKEN, "amount": "1000", "duration": 3600}
    else:
        given["streamId"] = "7"
    if action == "top_up":
        given["amount"] = "1000"
    return given | more


def call_of(asked: dict[str, Any]) -> Call:
    """The call that does what was asked."""
    action, source = asked["action"], scval.to_address(asked["source"])
    arguments = [source]
    below: tuple[Call, ...] = ()
    if action == "create":
        arguments += map(scval.to_address, (asked["recipient"], asked["token"]))
    else:
        arguments.append(scval.to_uint64(int(asked["streamId"])))
    if "amount" in asked:
        amount = scval.to_int128(int(asked["amount"]))
        arguments.append(amount)
        paid = (source, scval.to_address(CONTRACT), amount)
        below = (Call(TOKEN, "transfer", paid),)
    if "duration" in asked:
        arguments.append(scval.to_uint64(asked["duration"]))
    return Call(CONTRACT, FUNCTIONS[action], tuple(arguments), below)


def envelope(call: Call, agreed: tuple[Call, ...], source: str = ALICE) -> TransactionEnvelope:
    """The unsigned envelope of a call, as stellar-sdk builds it."""
    builder = TransactionBuilder(Account(source, 41), PASSPHRASE, base_fee=100)
    credentials = xdr.SorobanCredentials(
        xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT
    )
    auth = [xdr.SorobanAuthorizationEntry(credentials, each.agreed()) for each in agreed]
    builder.append_invoke_contract_function_op(
        call.contract, call.function, list(call.arguments), auth
    )
    builder.set_soroban_data(SorobanDataBuilder().set_resource_fee(5000).build())
    return builder.add_time_bounds(0, 1_770_000_300).build()


def answer(built: TransactionEnvelope, action: str, **more: Any) -> dict[str, Any]:
    """The answer of the API for an envelope."""
    return {
        "action": action,
        "contract": CONTRACT,
        "xdr": built.to_xdr(),
        "hash": built.hash_hex(),
        "networkPassphrase": PASSPHRASE,
        "fee": {"total": str(built.transaction.fee)},
        "timeBounds": {"minTime": 0, "maxTime": 1_770_000_300},
        **more,
    }
