"""Reads the answer of simulateTransaction. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stellar_sdk import xdr

from services.api.transactions.failures import Failure, failure_in
from shared.chain.errors import SourceError


@dataclass(frozen=True, slots=True)
class SimulatedCall:
    """A call that would succeed. `returned` and `events` are XDR: an ScVal, and ContractEvents."""

    ledger: int
    data: xdr.SorobanTransactionData
    authorization: tuple[xdr.SorobanAuthorizationEntry, ...]
    returned: bytes
    events: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class NeedsRestore:
    """The call needs archived entries. `data` is for the RestoreFootprint that restores them."""

    data: xdr.SorobanTransactionData


def read_simulation(answer: Mapping[str, Any]) -> SimulatedCall | NeedsRestore | Failure:
    """What the answer says. Raises SourceError if it is malformed."""
    try:
        if error := answer.get("error"):
            return failure_in(_raw(answer.get("events")), str(error))
        if preamble := answer.get("restorePreamble"):
            return NeedsRestore(_data(preamble["transactionData"]))
        (result,) = answer["results"]
        return SimulatedCall(
            int(answer["latestLedger"]),
            _data(answer["transactionData"]),
            tuple(map(xdr.SorobanAuthorizationEntry.from_xdr, result.get("auth") or ())),
            base64.b64decode(result["xdr"], validate=True),
            tuple(_contract_events(_raw(answer.get("events")))),
        )
    except Exception as error:  # the SDK raises many kinds of errors for wrong bytes
        detail = f"simulateTransaction sent something else than a simulation: {error!s:.200}"
        raise SourceError("malformed", detail) from error


def _data(text: str) -> xdr.SorobanTransactionData:
    return xdr.SorobanTransactionData.from_xdr(text)


def _raw(events: Sequence[str] | None) -> list[bytes]:
    return [base64.b64decode(each, validate=True) for each in events or ()]


def _contract_events(diagnostics: Sequence[bytes]) -> list[bytes]:
    """The events that contracts emit, from DiagnosticEvents: a flag, and a ContractEvent."""
    events = []
    for raw in diagnostics:
        event = xdr.DiagnosticEvent.from_xdr_bytes(raw)
        emitted = event.event.type is xdr.ContractEventType.CONTRACT
        if emitted and event.in_successful_contract_call:
            events.append(event.event.to_xdr_bytes())
    return events
