"""Errors of Soroban's host, with the diagnostic events and the text that RPC shows for them. Pure.

The texts are those of the host: the error, then the events, newest first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from stellar_sdk import Address, scval, xdr

from deploy.simulator.chain.values import sc_address


class HostError(Exception):
    """The host stops a call. `kind` and `code` are as in `Error(Contract, #4)`.

    `contract_id` is the contract that failed, and `reason` and `details` are the data of its
    diagnostic event. `calls` are the events of the calls that were open below the first one.
    """

    def __init__(
        self,
        kind: str,
        code: int | str,
        reason: str,
        *,
        contract_id: str | None = None,
        details: Sequence[xdr.SCVal] = (),
        calls: Sequence[xdr.DiagnosticEvent] = (),
    ) -> None:
        self.error = _error(kind, code)
        super().__init__(f"{error_text(self.error)}: {reason}")
        self.kind = kind
        self.code = code
        self.reason = reason
        self.contract_id = contract_id
        self.details = tuple(details)
        self.calls = tuple(calls)

    def event(self) -> xdr.DiagnosticEvent:
        """The diagnostic event of the error."""
        return error_event(self.error, self.contract_id, self.reason, self.details)


def _error(kind: str, code: int | str) -> xdr.SCError:
    kinds = xdr.SCErrorType
    if isinstance(code, int):
        return xdr.SCError(kinds.SCE_CONTRACT, contract_code=xdr.Uint32(code))
    return xdr.SCError(kinds[f"SCE_{_upper(kind)}"], code=xdr.SCErrorCode[f"SCEC_{_upper(code)}"])


def _upper(name: str) -> str:
    """`MissingValue` becomes MISSING_VALUE."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()


def error_text(error: xdr.SCError) -> str:
    """`Error(Contract, #4)` or `Error(Storage, MissingValue)`."""
    if error.contract_code is not None:
        return f"Error(Contract, #{error.contract_code.uint32})"
    assert error.code
    return f"Error({_title(error.type.name)}, {_title(error.code.name)})"


def _title(name: str) -> str:
    return "".join(part.title() for part in name.split("_")[1:])


def called(contract_id: str, function: str, arguments: Sequence[xdr.SCVal]) -> xdr.DiagnosticEvent:
    """The diagnostic event at the start of a call."""
    of = scval.to_bytes(Address(contract_id).key)
    topics = [scval.to_symbol("fn_call"), of, scval.to_symbol(function)]
    data = arguments[0] if len(arguments) == 1 else scval.to_vec(list(arguments))
    return _diagnostic(None, topics, data)


def returned(contract_id: str, function: str, value: xdr.SCVal) -> xdr.DiagnosticEvent:
    """The diagnostic event at the end of a call."""
    topics = [scval.to_symbol("fn_return"), scval.to_symbol(function)]
    return _diagnostic(contract_id, topics, value, successful=True)


def error_event(
    error: xdr.SCError, contract_id: str | None, reason: str, details: Sequence[xdr.SCVal] = ()
) -> xdr.DiagnosticEvent:
    """The diagnostic event of an error."""
    topics = [scval.to_symbol("error"), xdr.SCVal(xdr.SCValType.SCV_ERROR, error=error)]
    text = scval.to_string(reason)
    data = scval.to_vec([text, *details]) if details else text
    return _diagnostic(contract_id, topics, data)


def _diagnostic(
    contract_id: str | None,
    topics: list[xdr.SCVal],
    data: xdr.SCVal,
    *,
    successful: bool = False,
) -> xdr.DiagnosticEvent:
    event = xdr.ContractEvent(
        ext=xdr.ExtensionPoint(0),
        contract_id=sc_address(contract_id).contract_id if contract_id else None,
        type=xdr.ContractEventType.DIAGNOSTIC,
        body=xdr.ContractEventBody(0, xdr.ContractEventV0(topics, data)),
    )
    return xdr.DiagnosticEvent(successful, event)


def report(error: HostError, events: Sequence[xdr.DiagnosticEvent]) -> str:
    """The text of the error, as simulateTransaction returns it. `events` are oldest first."""
    lines = [f"   {n}: {_line(each.event)}" for n, each in enumerate(reversed(events))]
    log = ["", "Event log (newest first):", *lines] if lines else []
    return "\n".join([f"HostError: {error_text(error.error)}", *log, ""])


def _line(event: xdr.ContractEvent) -> str:
    body = event.body.v0
    assert body
    where = ""
    if event.contract_id is not None:
        where = (
            f"contract:{Address.from_raw_contract(event.contract_id.contract_id.hash).address}, "
        )
    topics = ", ".join(_shown(each) for each in body.topics)
    return f"[Diagnostic Event] {where}topics:[{topics}], data:{_shown(body.data)}"


def _shown(value: xdr.SCVal) -> str:
    """A value as the host writes it."""
    if value.error is not None:
        return error_text(value.error)
    if value.vec is not None:
        return f"[{', '.join(_shown(each) for each in value.vec.sc_vec)}]"
    if value.str is not None:
        return f'"{value.str.sc_string.decode()}"'
    if value.bytes is not None:
        raw = value.bytes.sc_bytes
        return Address.from_raw_contract(raw).address if len(raw) == 32 else f"Bytes({raw.hex()})"
    if value.type is xdr.SCValType.SCV_VOID:
        return "Void"
    native = scval.to_native(value)
    return native.address if isinstance(native, Address) else str(native)
