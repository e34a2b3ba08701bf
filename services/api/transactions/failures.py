"""Finds which contract stopped a call, and with which error, in diagnostic events. Pure.

The host writes an event `error` for each contract that an error passes on its way up. The first of
them is from the contract that failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stellar_sdk import xdr

from shared.chain.xdr import XdrError, decode_contract_event
from shared.chain.xdr.natives import ScError

_CONTRACT = "contract"
_IN_TEXT = re.compile(r"Error\(Contract, #(\d{1,10})\)", re.ASCII)
_FLAG_BYTES = 4
"""A DiagnosticEvent is a flag and a ContractEvent."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call fails. `code` is the contract's own number; None if the host stopped the call.

    `contract_id` is the contract that failed, if it is known. `reason` is the host's word for the
    error, such as `Budget, ExceededLimit`.
    """

    code: int | None
    contract_id: str | None
    reason: str


def failure_in(diagnostics: Sequence[bytes], text: str = "") -> Failure:
    """The failure that these DiagnosticEvents (oldest first) and the error text of RPC show."""
    errors = list(_errors(diagnostics))
    if found := _IN_TEXT.search(text):
        final = ScError(_CONTRACT, int(found[1]))
    elif errors:
        final = errors[-1][1]
    else:
        return Failure(None, None, text.splitlines()[0][:200] if text else "")
    contract = next((contract for contract, error in errors if error == final), None)
    if final.kind == _CONTRACT:
        return Failure(final.code, contract, f"Contract, #{final.code}")
    return Failure(None, contract, f"{_title(final.kind)}, {_code_name(final.code)}")


def _errors(diagnostics: Sequence[bytes]) -> Iterator[tuple[str | None, ScError]]:
    for raw in diagnostics:
        try:
            event = decode_contract_event(raw[_FLAG_BYTES:])
        except XdrError:
            continue
        if len(event.topics) == 2 and event.topics[0] == "error":
            error = event.topics[1]
            if isinstance(error, ScError):
                yield event.contract_id, error


def _code_name(code: int) -> str:
    try:
        return _title(xdr.SCErrorCode(code).name.removeprefix("SCEC_").lower())
    except ValueError:
        return str(code)


def _title(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
