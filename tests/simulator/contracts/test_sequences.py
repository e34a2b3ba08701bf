"""The simulated contract does what the real one did: the same events, bytes, states and amounts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from deploy.simulator.chain.operations import Operation
from deploy.simulator.contracts.record import CallRefusedError, Record, claimable
from deploy.simulator.contracts.stream_contract import StreamContract
from tests.support.sequences import FILES, Sequence, Step, sequences

Call = dict[str, Any]


def create(call: Call) -> Operation:
    parties = Operation(op="create", sender=call["sender"], recipient=call["recipient"])
    return replace(parties, amount=int(call["amount"]), duration=int(call["duration"]))


CALLS: dict[str, Callable[[Call], Operation]] = {
    "initialize": lambda call: Operation(op="initialize"),
    "transferAdmin": lambda call: Operation(op="transfer_admin", admin=call["to"]),
    "updateFeeConfig": lambda call: Operation(
        op="set_fee", fee_bps=int(call["bps"]), treasury=call["treasury"]
    ),
    "create": create,
    "createCliff": lambda call: replace(create(call), cliff=int(call["cliff"])),
    "topUp": lambda call: Operation(op="top_up", stream_id=call["id"], amount=int(call["amount"])),
    "withdraw": lambda call: Operation(op="withdraw", stream_id=call["id"]),
    "pause": lambda call: Operation(op="pause", stream_id=call["id"]),
    "resume": lambda call: Operation(op="resume", stream_id=call["id"]),
    "cancel": lambda call: Operation(op="cancel", stream_id=call["id"]),
    "transferRecipient": lambda call: Operation(
        op="transfer_recipient", stream_id=call["id"], recipient=call["to"]
    ),
    "modifyRate": lambda call: Operation(
        op="modify_rate", stream_id=call["id"], rate=int(call["rate"])
    ),
}


def begun(sequence: Sequence) -> StreamContract:
    """The contract before its first call. Without an `initialize` it takes no fee."""
    contract = StreamContract(sequence.contract, "", 0)
    for step in sequence.steps:
        if step.function == "initialize":
            contract.state.admin = step.call["admin"]
            contract.state.treasury = step.call["treasury"]
            contract.state.fee_bps = int(step.call["bps"])
    return contract


def run(contract: StreamContract, step: Step, operation: Operation) -> list[tuple[int, bytes]]:
    """The contract's own events of a call: their index among all events, and their bytes."""
    contract.token = step.call.get("token", contract.token)
    emissions = contract.call([operation], step.now)
    own = contract.contract_id
    return [(n, e.to_xdr().to_xdr_bytes()) for n, e in enumerate(emissions) if e.contract_id == own]


def shown(record: Record, now: int) -> dict[str, Any]:
    """The record as the files show a state."""
    return {
        "active": record.active,
        "anchor": str(record.anchor),
        "deposited": str(record.deposited),
        "paused": record.paused,
        "pausedAt": None if record.paused_at is None else str(record.paused_at),
        "rate": str(record.rate),
        "recipient": record.recipient,
        "sender": record.sender,
        "start": str(record.start),
        "status": record.status,
        "token": record.token,
        "withdrawn": str(record.withdrawn),
        "claimable": str(claimable(record, now)),
    }


@pytest.mark.parametrize("name", FILES)
def test_events_states_and_amounts_are_those_of_the_real_contract(name: str) -> None:
    calls = dict(CALLS)
    if name == "upcoming":
        calls["cancel"] = lambda call: Operation(op="cancel_with_pause", stream_id=call["id"])
    compared = 0
    for sequence in sequences(name):
        contract = begun(sequence)
        for step in sequence.steps:
            operation = calls[step.function](step.call)
            if step.error is not None:
                with pytest.raises(CallRefusedError) as refused:
                    run(contract, step, operation)
                assert refused.value.code == step.error
                continue
            assert run(contract, step, operation) == step.events
            for stream_id, state in step.states.items():
                assert shown(contract.stream(stream_id), step.now) == state
            for stream_id, at, amount in step.later:
                assert claimable(contract.stream(stream_id), at) == amount
            compared += 1
    assert compared > 300
