"""A transaction as Horizon tells it, read into events of ours, dead letters and a verdict.

Pure. The contract's 32 raw bytes occur in the envelope of every transaction that can touch it (its
footprint names it), so most transactions cost one search through bytes.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from stellar_sdk import StrKey

from services.indexer.consensus import contains_contract, verify
from services.indexer.contract import Unreadable, read_event
from services.indexer.records import Record
from services.indexer.xdr import Meta, XdrError, decode_contract_event, decode_meta, decode_result
from services.indexer.xdr.event import contract_of
from shared.events import Event, Provenance
from shared.positions import Position

_CONTRACT_KIND = "contract"


class MetaMissing(Exception):
    """The source left the transaction's meta out; another must be asked for it."""


class Unproved(Exception):
    """The events do not hash to what consensus signed: someone altered them."""


@dataclass(frozen=True, slots=True)
class Watched:
    """The contract whose events are read: its address and its 32 bytes."""

    address: str
    raw: bytes

    @classmethod
    def of(cls, address: str) -> Watched:
        """From its address (C…)."""
        return cls(address, StrKey.decode_contract(address))


@dataclass(slots=True)
class Reading:
    """What one or more transactions came to. A dead letter is JSON-ready."""

    events: list[Event] = field(default_factory=list)
    dead: list[dict[str, object]] = field(default_factory=list)


def read_transaction(record: Record, contract: Watched, into: Reading) -> None:
    """Add the contract's events and dead letters of one transaction.

    Raises MetaMissing, and Unproved when the events were altered on the way; XdrError when the
    meta or the result as a whole cannot be read.
    """
    if not record.successful or not contains_contract(record.envelope, contract.raw):
        return
    if record.meta is None:
        raise MetaMissing(record.hash)
    meta = decode_meta(record.meta, frozenset())
    verified = verify(meta, decode_result(record.result))
    wanted = _events_of(contract, meta)
    # A contract's events come from a call, and a call's result proves them: None is no proof.
    if verified is False or (wanted and not verified):
        raise Unproved(f"transaction {record.hash} of ledger {record.ledger}")
    source = Provenance(contract.address, record.ledger, record.closed_at, record.hash, verified)
    for operation, index, raw in wanted:
        position = Position(record.toid + operation, index)
        try:
            event = decode_contract_event(raw)
            if event.kind == _CONTRACT_KIND:
                into.events.append(read_event(event, position, source, record.closed))
        except (XdrError, Unreadable) as error:
            into.dead.append(dead_letter(record, str(error), raw, position))


def _events_of(contract: Watched, meta: Meta) -> list[tuple[int, int, bytes]]:
    """The contract's events: operation, index in it, XDR."""
    return [
        (operation, index, raw)
        for operation, events in enumerate(meta.event_xdr)
        for index, raw in enumerate(events)
        if contract_of(raw, 0)[0] == contract.raw
    ]


def dead_letter(
    record: Record, why: str, raw: bytes, position: Position | None = None
) -> dict[str, object]:
    """What is kept of something that could not be read, enough to read it later."""
    return {
        "position": str(position) if position else None,
        "ledger": record.ledger,
        "txHash": record.hash,
        "why": why,
        "xdr": base64.b64encode(raw).decode(),
    }
