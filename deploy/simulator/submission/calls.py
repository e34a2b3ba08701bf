"""The functions of the stream contract by their real names, and how a call's arguments are read.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stellar_sdk import Address, scval, xdr

from deploy.simulator.chain.accounts import STREAMS
from deploy.simulator.chain.operations import Operation
from deploy.simulator.submission.errors import HostError


@dataclass(frozen=True, slots=True)
class Function:
    """A function that changes a stream: the operation that it is, and its parameters with types.

    The first parameter is the account that must agree to the call.
    """

    op: str
    parameters: tuple[tuple[str, str], ...]


_SENDER, _RECIPIENT, _STREAM = ("sender", "address"), ("recipient", "address"), ("stream_id", "u64")
_AMOUNT = ("amount", "i128")
FUNCTIONS: Mapping[str, Function] = {
    "create_stream": Function(
        "create", (_SENDER, _RECIPIENT, ("token", "address"), _AMOUNT, ("duration", "u64"))
    ),
    "top_up_stream": Function("top_up", (_SENDER, _STREAM, _AMOUNT)),
    "withdraw": Function("withdraw", (_RECIPIENT, _STREAM)),
    "pause_stream": Function("pause", (_SENDER, _STREAM)),
    "resume_stream": Function("resume", (_SENDER, _STREAM)),
    "cancel_stream": Function("cancel", (_SENDER, _STREAM)),
}
"""See docs/decisions/0115-simulator-executes-transactions.md."""


@dataclass(frozen=True, slots=True)
class ContractCall:
    """A call as it is in an envelope. `arguments` are in XDR."""

    contract_id: str
    function: str
    arguments: tuple[xdr.SCVal, ...]


@dataclass(frozen=True, slots=True)
class StreamCall:
    """A call of the stream contract that changes a stream. `party` must agree to it."""

    call: ContractCall
    operation: Operation
    party: str


def read_host_function(function: xdr.HostFunction) -> ContractCall:
    """The call of a host function. Raises HostError if it is no call, but an upload or a deploy."""
    args = function.invoke_contract
    if args is None:
        raise HostError("Context", "InvalidAction", "the simulated network runs calls only")
    return ContractCall(
        Address.from_xdr_sc_address(args.contract_address).address,
        args.function_name.sc_symbol.decode(),
        tuple(args.args),
    )


def read_stream_call(call: ContractCall) -> StreamCall:
    """The change of a stream for which a call asks. Raises HostError as the contract's code would.

    Its code traps if an argument has another type.
    """
    function = FUNCTIONS[call.function]
    values = read_arguments(call, [kind for _, kind in function.parameters])
    named = dict(zip((name for name, _ in function.parameters), values, strict=True))
    party = str(values[0])
    named["stream_id"] = str(named.get("stream_id", ""))
    return StreamCall(call, Operation(op=function.op, **named), party)  # type: ignore[arg-type]


def read_arguments(call: ContractCall, kinds: Sequence[str]) -> list[str | int]:
    """The arguments as Python values. Raises HostError if their number or a type is wrong."""
    if len(call.arguments) != len(kinds):
        reason = "VM call failed: Func(MismatchingParameterLen)"
        raise HostError("WasmVm", "UnexpectedSize", reason, contract_id=call.contract_id)
    return [_read(call, value, kind) for value, kind in zip(call.arguments, kinds, strict=True)]


_TYPES = {
    "address": xdr.SCValType.SCV_ADDRESS,
    "i128": xdr.SCValType.SCV_I128,
    "u64": xdr.SCValType.SCV_U64,
}


def _read(call: ContractCall, value: xdr.SCVal, kind: str) -> str | int:
    if value.type is not _TYPES[kind]:
        reason = "VM call trapped: UnreachableCodeReached"
        raise HostError("WasmVm", "InvalidAction", reason, contract_id=call.contract_id)
    if kind == "address":
        return scval.from_address(value).address
    return scval.from_int128(value) if kind == "i128" else scval.from_uint64(value)


def creates_stream(operation: xdr.Operation) -> bool:
    """True if the operation calls `create_stream` of any contract."""
    body = operation.body.invoke_host_function_op
    args = body.host_function.invoke_contract if body else None
    return args is not None and args.function_name.sc_symbol == b"create_stream"


def is_stream_call(call: ContractCall) -> bool:
    """True if the call changes a stream."""
    return call.contract_id == STREAMS and call.function in FUNCTIONS
