"""Functions that change nothing: those of the stream contract, and those of a token.

Pure: they read the state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from stellar_sdk import scval, xdr

from deploy.simulator.chain.accounts import STREAMS, TOKENS
from deploy.simulator.chain.entries import entry_key
from deploy.simulator.chain.holding_entries import holding_key
from deploy.simulator.chain.values import to_scval
from deploy.simulator.contracts import record as rules
from deploy.simulator.contracts.storage import config_value, stream_key, stream_value
from deploy.simulator.submission.calls import ContractCall, read_arguments
from deploy.simulator.submission.errors import HostError
from deploy.simulator.submission.host import HostRun
from deploy.simulator.submission.resources import instance_key
from deploy.simulator.submission.state import State

ANY_LEDGER = 1 << 32
"""A number above that of each ledger."""


class Reading(NamedTuple):
    """The value that a function returns, and the keys of the entries that it reads."""

    value: xdr.SCVal
    keys: tuple[str, ...] = ()


def read(call: ContractCall, state: State, now: int) -> tuple[HostRun, tuple[str, ...]]:
    """Run a function that reads. Raises HostError, also if there is no such function."""
    functions = _functions(call.contract_id)
    function = functions.get(call.function)
    if function is None:
        reason = "trying to invoke non-existent contract function"
        details = [scval.to_symbol(call.function)]
        raise HostError(
            "WasmVm", "MissingValue", reason, contract_id=call.contract_id, details=details
        )
    found = function(call, state, now)
    return HostRun((), found.value, (), {}), found.keys


Function = Callable[[ContractCall, State, int], Reading]


def _functions(contract_id: str) -> Mapping[str, Function]:
    if contract_id == STREAMS:
        return _OF_STREAMS
    if contract_id in TOKENS.values():
        return _OF_TOKEN
    reason = "trying to get non-existing value for contract instance"
    details = [scval.to_address(contract_id)]
    raise HostError("Storage", "MissingValue", reason, details=details)


def _stream_id(call: ContractCall) -> str:
    return str(read_arguments(call, ["u64"])[0])


def _of_stream(value: Callable[[rules.Record, int], xdr.SCVal], missing: xdr.SCVal) -> Function:
    """A function of a stream, and its value if there is no such stream."""

    def function(call: ContractCall, state: State, now: int) -> Reading:
        stream_id = _stream_id(call)
        stream = state.contract.state.streams.get(stream_id)
        key = entry_key(STREAMS, to_scval(stream_key(stream_id))).to_xdr()
        return Reading(missing if stream is None else value(stream, now), (key,))

    return function


def _config(call: ContractCall, state: State, now: int) -> Reading:
    read_arguments(call, [])
    contract = state.contract.state
    return Reading(to_scval(config_value(contract.admin, contract.treasury, contract.fee_bps)))


_OF_STREAMS: Mapping[str, Function] = {
    "get_stream": _of_stream(lambda s, _: to_scval(stream_value(s)), scval.to_void()),
    "get_claimable_amount": _of_stream(
        lambda s, now: scval.to_int128(rules.claimable(s, now)), scval.to_void()
    ),
    "is_stream_completed": _of_stream(
        lambda s, _: scval.to_bool(s.status is rules.Status.COMPLETED), scval.to_bool(False)
    ),
    "get_fee_config": _config,
}


def _balance(call: ContractCall, state: State, now: int) -> Reading:
    """What an account or a contract holds; 0 if it has no trustline or balance."""
    holder = str(read_arguments(call, ["address"])[0])
    amount = state.holdings.amount(call.contract_id, holder) or 0
    return Reading(scval.to_int128(amount), (holding_key(call.contract_id, holder).to_xdr(),))


def _metadata(field: str) -> Function:
    """A function that returns a field of the metadata in the token's instance."""

    def function(call: ContractCall, state: State, now: int) -> Reading:
        read_arguments(call, [])
        stored = state.storage.at(instance_key(call.contract_id), ANY_LEDGER)
        data = xdr.LedgerEntryData.from_xdr(stored.data).contract_data if stored else None
        instance = data.val.instance if data else None
        entries = instance.storage.sc_map if instance and instance.storage else []
        for entry in entries:
            if entry.key == _METADATA and entry.val.map:
                found = entry.val.map.sc_map
                return Reading(
                    next(each.val for each in found if each.key == scval.to_symbol(field))
                )
        reason = "VM call trapped: UnreachableCodeReached"
        raise HostError("WasmVm", "InvalidAction", reason, contract_id=call.contract_id)

    return function


_METADATA = scval.to_symbol("METADATA")
_OF_TOKEN: Mapping[str, Function] = {
    "balance": _balance,
    "decimals": _metadata("decimal"),
    "name": _metadata("name"),
    "symbol": _metadata("symbol"),
}
