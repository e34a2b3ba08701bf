"""Who must agree to a call of the stream contract, and the entries that say so. Pure.

Only an account that is the source of the transaction can agree: the signature of the transaction
is its signature. The simulated network knows no other credentials.
"""

from __future__ import annotations

from collections.abc import Sequence

from stellar_sdk import scval, xdr

from deploy.simulator.chain.values import sc_address
from deploy.simulator.submission.calls import ContractCall, StreamCall
from deploy.simulator.submission.errors import HostError

Invocation = xdr.SorobanAuthorizedInvocation
_SOURCE = xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT


def needed(call: StreamCall, token: str) -> Invocation:
    """The calls to which the party must agree: its own, and the transfer of its deposit."""
    transfers = []
    if call.operation.op in ("create", "top_up"):
        payer, contract = scval.to_address(call.party), scval.to_address(call.call.contract_id)
        arguments = (payer, contract, scval.to_int128(call.operation.amount))
        transfers = [_invocation(ContractCall(token, "transfer", arguments), [])]
    return _invocation(call.call, transfers)


def _invocation(call: ContractCall, below: list[Invocation]) -> Invocation:
    args = xdr.InvokeContractArgs(
        sc_address(call.contract_id),
        scval.to_symbol(call.function).sym,  # type: ignore[arg-type]
        list(call.arguments),
    )
    kind = xdr.SorobanAuthorizedFunctionType.SOROBAN_AUTHORIZED_FUNCTION_TYPE_CONTRACT_FN
    return Invocation(xdr.SorobanAuthorizedFunction(kind, contract_fn=args), below)


def recorded(
    call: StreamCall, token: str, source: str, nonce: int
) -> xdr.SorobanAuthorizationEntry:
    """The entry that the party must sign, as a simulation records it.

    If the party is the source of the transaction, its signature of the transaction is enough.
    """
    if call.party == source:
        return xdr.SorobanAuthorizationEntry(xdr.SorobanCredentials(_SOURCE), needed(call, token))
    unsigned = xdr.SorobanAddressCredentials(
        sc_address(call.party), xdr.Int64(nonce), xdr.Uint32(0), scval.to_void()
    )
    kind = xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_ADDRESS
    credentials = xdr.SorobanCredentials(kind, address=unsigned)
    return xdr.SorobanAuthorizationEntry(credentials, needed(call, token))


def check(
    call: StreamCall,
    token: str,
    entries: Sequence[xdr.SorobanAuthorizationEntry],
    source: str,
) -> None:
    """Raise HostError unless the entries of the source account cover the call."""
    wanted = needed(call, token)
    agreed = [
        entry.root_invocation
        for entry in entries
        if entry.credentials.type is _SOURCE and call.party == source
    ]
    if not any(_covers(each, wanted) for each in agreed):
        raise _unauthorized(call.call.contract_id, call.party)


def _covers(agreed: Invocation, wanted: Invocation) -> bool:
    """True if the tree of calls has the wanted one, with all that is below it."""
    return agreed.function == wanted.function and all(
        any(_covers(each, below) for each in agreed.sub_invocations)
        for below in wanted.sub_invocations
    )


def _unauthorized(contract_id: str, party: str) -> HostError:
    reason = "Unauthorized function call for address"
    details = [scval.to_address(party)]
    return HostError("Auth", "InvalidAction", reason, contract_id=contract_id, details=details)
