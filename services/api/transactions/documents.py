"""The events of a transaction and the state after them, as JSON objects. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import orjson

from services.api.transactions.calls import Action, ActionCall
from services.api.transactions.simulation import SimulatedCall
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.decode.stream_contract import UnreadableEventError
from shared.chain.xdr import XdrError, decode_contract_event, decode_scval
from shared.chain.xdr.event import contract_of
from shared.domain.events import Event, Provenance
from shared.domain.instant import utc_text
from shared.domain.position import Position, toid
from shared.journal.plan import PlannedWrite
from shared.journal.stream_document import stream_document
from shared.journal.wire import encode

Document = dict[str, object]

_NOT_YET = ("ledger", "ledgerClosedAt", "txHash", "verified")
"""Fields of an event that only a ledger gives."""


def simulated_events(
    simulation: SimulatedCall, contracts: WatchedContracts, closed: int
) -> list[Event]:
    """The events of the watched contracts that a call would emit.

    `closed` is the close time of the last ledger in Unix seconds: the simulation runs as of then.
    """
    events = []
    for index, raw in enumerate(simulation.events):
        contract = contracts.by_raw(contract_of(raw, 0)[0])
        if contract is None:
            continue
        source = Provenance(contract.address, simulation.ledger, utc_text(closed), "", None)
        position = Position(toid(simulation.ledger), index)
        # An event can be unreadable if the contract is newer than this version of Headrace.
        with suppress(XdrError, UnreadableEventError):
            event = decode_contract_event(raw)
            events.append(contract.read(event, position, source, closed))
    return events


def simulated_event(write: PlannedWrite) -> Document:
    """An event as it will be published, without what only the ledger can say."""
    document = _document(write)
    return {name: value for name, value in document.items() if name not in _NOT_YET}


def settled_event(write: PlannedWrite) -> Document:
    """An event of a ledger as it is published, without `publishedAt` and `stream`."""
    return {"id": str(write.event.position), **_document(write)}


def _document(write: PlannedWrite) -> Document:
    _, body = encode(write.event, write.topics, write.concerns)
    document: Document = orjson.loads(body)
    return document


def stream_after(
    writes: Sequence[PlannedWrite], stream_id: str | None, now: int
) -> Document | None:
    """The stream after the events; None if the events do not tell it."""
    states = [each.after for each in writes if each.after]
    found = [each for each in states if stream_id in (None, each.id)]
    return stream_document(found[-1], now) if found else None


def returned(call: ActionCall, simulation: SimulatedCall) -> Document | None:
    """What the contract returns: the number of a new stream, or the amount of a withdrawal."""
    name = {Action.CREATE: "streamId", Action.WITHDRAW: "amount"}.get(call.action)
    if name is None:
        return None
    try:
        return {name: str(decode_scval(simulation.returned))}
    except XdrError:
        return None
