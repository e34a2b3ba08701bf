"""Runs a call of the stream contract, with the checks of the contract and of its token.

A run changes the state of the contract, and nothing else: `HostRun` has what else would change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from stellar_sdk import scval, xdr

from deploy.simulator.chain import accounts
from deploy.simulator.chain.entries import EntryChange
from deploy.simulator.chain.holdings import Holding, Holdings
from deploy.simulator.chain.values import Emission, Typed, emitted, to_scval
from deploy.simulator.contracts import record as rules
from deploy.simulator.contracts.entry_changes import entry_changes
from deploy.simulator.contracts.record import CallRefusedError
from deploy.simulator.contracts.stream_contract import StreamContract
from deploy.simulator.contracts.token_transfers import (
    TokenRefusedError,
    Transfer,
    moved,
    transfers,
)
from deploy.simulator.submission.calls import StreamCall
from deploy.simulator.submission.errors import HostError, called

INVALID_TOKEN, UNAUTHORIZED = 10, 3
_ESCALATED = "escalating Ok(ScErrorType::Contract) frame-exit to Err"


class HostRun(NamedTuple):
    """What a call that succeeded did: its events, return value, changed entries and amounts."""

    events: Sequence[xdr.ContractEvent]
    returned: xdr.SCVal
    changes: Sequence[EntryChange]
    holdings: Mapping[Holding, int]


def run(call: StreamCall, contract: StreamContract, holdings: Holdings, now: int) -> HostRun:
    """Run the call, which changes the contract's state. Raises HostError; then nothing changes."""
    try:
        _check(call, contract)
        emissions = contract.call([call.operation], now)
    except CallRefusedError as refused:
        if refused.code == rules.INVALID_RATE:  # the contract takes the deposit before
            _require_deposit(call, contract, holdings)
        raise _refused(call, refused) from None
    events = [each.to_xdr() for each in emissions]
    try:
        after = moved(holdings.amount, transfers(map(emitted, events)))
    except TokenRefusedError as refused:
        contract.undo()
        raise _refused_by_token(refused) from None
    return HostRun(events, _returned(call, emissions), entry_changes(contract), after)


def _require_deposit(call: StreamCall, contract: StreamContract, holdings: Holdings) -> None:
    token = contract.token_of(call.operation)
    deposit = Transfer(token, call.party, contract.contract_id, call.operation.amount)
    try:
        moved(holdings.amount, [deposit])
    except TokenRefusedError as refused:
        raise _refused_by_token(refused) from None


def _check(call: StreamCall, contract: StreamContract) -> None:
    """The checks of the contract that come before those of `StreamContract`."""
    operation = call.operation
    if operation.op in ("create", "top_up") and operation.amount <= 0:
        raise CallRefusedError(rules.INVALID_AMOUNT, f"the amount is {operation.amount}")
    if operation.op == "create":
        if operation.duration == 0:
            raise CallRefusedError(rules.INVALID_DURATION, "the duration is 0")
        if operation.token not in accounts.TOKENS.values():
            raise CallRefusedError(INVALID_TOKEN, f"{operation.token} is no token")
        return
    stream = contract.stream(operation.stream_id)
    if call.party != (stream.recipient if operation.op == "withdraw" else stream.sender):
        raise CallRefusedError(UNAUTHORIZED, f"{call.party} may not do this")


def _refused(call: StreamCall, refused: CallRefusedError) -> HostError:
    contract_id = call.call.contract_id
    if refused.code == 0:
        reason = "VM call trapped: UnreachableCodeReached"
        return HostError("WasmVm", "InvalidAction", reason, contract_id=contract_id)
    return HostError("Contract", refused.code, _ESCALATED, contract_id=contract_id)


def _refused_by_token(refused: TokenRefusedError) -> HostError:
    token, payer, payee, amount = refused.transfer
    arguments = [scval.to_address(payer), scval.to_address(payee), scval.to_int128(amount)]
    calls = [called(token, "transfer", arguments)]
    if refused.code == 0:
        reason = "VM call trapped: UnreachableCodeReached"
        return HostError("WasmVm", "InvalidAction", reason, contract_id=token, calls=calls)
    details = [scval.to_int128(each) for each in refused.details]
    return HostError(
        "Contract",
        refused.code,
        refused.reason,
        contract_id=token,
        details=details,
        calls=calls,
    )


def _returned(call: StreamCall, emissions: Sequence[Emission]) -> xdr.SCVal:
    """What the function returns: an id, an amount, an end, or nothing."""
    last = emissions[-1]
    match call.operation.op:
        case "create":
            return to_scval(last.topics[1])
        case "withdraw":
            return to_scval(_field(emissions, "tokens_withdrawn", "amount"))
        case "resume":
            return to_scval(_field(emissions, "stream_resumed", "new_end_time"))
    return scval.to_void()


def _field(emissions: Sequence[Emission], name: str, field: str) -> Typed:
    found = next(each for each in emissions if each.topics[0].value == name)
    assert not isinstance(found.data, Typed)
    return found.data[field]
