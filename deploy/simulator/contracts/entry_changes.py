"""What a call of the stream contract wrote to its storage."""

from __future__ import annotations

from stellar_sdk import xdr

from deploy.simulator.chain.entries import EntryChange
from deploy.simulator.chain.values import to_scval
from deploy.simulator.contracts.record import Record
from deploy.simulator.contracts.storage import (
    INSTANCE_KEY,
    contract_instance,
    stream_key,
    stream_value,
)
from deploy.simulator.contracts.stream_contract import ContractState, StreamContract


def entry_changes(contract: StreamContract) -> list[EntryChange]:
    """The entries that the latest call wrote, before and after it."""
    address, before, after = contract.contract_id, contract.before, contract.state
    changes = [
        stream_change(address, before.streams.get(stream_id), after.streams[stream_id])
        for stream_id in sorted(contract.changed, key=int)
    ]
    if _instance_of(before) != _instance_of(after):
        old_instance, new_instance = _instance_of(before), _instance_of(after)
        changes.append(EntryChange(address, INSTANCE_KEY, old_instance, new_instance))
    return changes


def _instance_of(state: ContractState) -> xdr.SCVal:
    return contract_instance(len(state.streams), state.admin, state.treasury, state.fee_bps)


def first_entry(contract: StreamContract) -> EntryChange:
    """The entry of a contract that was just deployed: its instance."""
    return instance_change(contract.contract_id, _instance_of(contract.state))


def instance_change(contract_id: str, instance: xdr.SCVal) -> EntryChange:
    """The change of a contract's instance, without the value before it."""
    return EntryChange(contract_id, INSTANCE_KEY, None, instance)


def stream_change(contract_id: str, before: Record | None, after: Record) -> EntryChange:
    """The change of a stream's entry."""
    old = to_scval(stream_value(before)) if before else None
    return EntryChange(
        contract_id, to_scval(stream_key(after.id)), old, to_scval(stream_value(after))
    )
