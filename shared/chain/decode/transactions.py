"""Decode and prove a transaction's events; undecodable events become dead letters. Pure.

Most transactions have no event of a watched contract. In the bytes of such a transaction, the
indexer only searches for the contracts' raw 32-byte ids (shared.chain.decode.contracts).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.chain.decode.contracts import WatchedContracts
from shared.chain.decode.creations import with_schedule
from shared.chain.decode.proof import verify
from shared.chain.decode.records import HorizonTransaction
from shared.chain.decode.storage import schedules_in
from shared.chain.decode.stream_contract import UnreadableEventError
from shared.chain.xdr import (
    TransactionMeta,
    TransactionResult,
    XdrError,
    decode_contract_event,
    decode_meta,
    decode_result,
)
from shared.chain.xdr.event import contract_of
from shared.domain.errors import HeadraceError
from shared.domain.events import Event, EventType, Provenance
from shared.domain.position import Position

_KIND, _OTHER_KINDS = slice(40, 44), (bytes(4), (2).to_bytes(4, "big"))
"""Where a ContractEvent with a contract id has its kind, and the kinds that are skipped.

The skipped kinds are `system` and `diagnostic`: the host makes these events about a contract, the
contract does not emit them.
"""


class MetaMissingError(HeadraceError):
    """The source left out the transaction's meta, so another source must be asked for it."""


class UnprovedError(HeadraceError):
    """The events do not match the hash in the transaction's result."""


@dataclass(slots=True)
class DecodedEvents:
    """Events and dead letters of one or more transactions. A dead letter is a dict for JSON."""

    events: list[Event] = field(default_factory=list)
    dead: list[dict[str, object]] = field(default_factory=list)

    def extend(self, other: DecodedEvents) -> None:
        """Append the events and dead letters of the next transactions."""
        self.events += other.events
        self.dead += other.dead


RawEvents = Mapping[Position, bytes]
"""A transaction's events in XDR, by position."""


def decode_transaction(
    record: HorizonTransaction,
    contracts: WatchedContracts,
    *,
    rpc_events: RawEvents | None = None,
    accept_unproved: bool = False,
) -> DecodedEvents:
    """Decode the watched contracts' events of one transaction, and prove them.

    `rpc_events`: the events that getEvents returned for this transaction; they must be the same as
    the events in the meta. `accept_unproved`: also return events that fail their proof, with
    `verified` false.

    Raises MetaMissingError when another source must be asked for the meta; UnprovedError when the
    events do not match the result; XdrError when the meta or the result cannot be decoded.
    """
    may_emit = record.successful and contracts.may_emit(record.envelope, record.meta)
    if not rpc_events and not may_emit:
        return DecodedEvents()
    if record.meta is None:
        raise MetaMissingError(record.hash)
    meta, result = decode_meta(record.meta), decode_result(record.result)
    if rpc_events is None and _is_left_out(meta, result):
        raise MetaMissingError(record.hash)
    verified = verify(meta, result)
    raw_events = _events_of(contracts, record, meta)
    is_altered = (
        verified is False
        or not record.successful
        or (rpc_events is not None and rpc_events != raw_events)
    )
    # An invocation's result always has a hash. So if `verified` is None for its events, the proof
    # has failed.
    if is_altered or (not verified and _has_invocation(contracts, raw_events)):
        if not accept_unproved:
            raise UnprovedError(f"transaction {record.hash} of ledger {record.ledger}")
        verified = False
    return decode_events(record, contracts, raw_events, verified, meta.change_xdr)


def decode_events(
    record: HorizonTransaction,
    contracts: WatchedContracts,
    raw_events: RawEvents,
    verified: bool | None = None,
    changes: Sequence[bytes] = (),
) -> DecodedEvents:
    """Decode events of a transaction without proving them.

    `verified`: the outcome of an earlier proof; None if there was no result to check. `changes`:
    the ledger entry changes of each operation. An event that cannot be decoded becomes a dead
    letter.
    """
    decoded = DecodedEvents()
    closed = record.closed
    for position, raw in raw_events.items():
        contract = contracts.by_raw(contract_of(raw, 0)[0])
        assert contract, "all raw events are from watched contracts"
        source = Provenance(
            contract.address, record.ledger, record.closed_at, record.hash, verified
        )
        try:
            event = decode_contract_event(raw)
            decoded.events.append(contract.read(event, position, source, closed))
        except (XdrError, UnreadableEventError) as error:
            decoded.dead.append(dead_letter(record, str(error), raw, position, source))
    if any(event.type is EventType.STREAM_CREATED for event in decoded.events):
        schedules = schedules_in(changes, contracts.stream.raw)
        decoded.events = [with_schedule(event, schedules) for event in decoded.events]
    return decoded


def _events_of(
    contracts: WatchedContracts, record: HorizonTransaction, meta: TransactionMeta
) -> RawEvents:
    """Return the events that the watched contracts emitted themselves."""
    return {
        Position(record.toid + operation, index): raw
        for operation, events in enumerate(meta.event_xdr)
        for index, raw in enumerate(events)
        if contracts.by_raw(contract_of(raw, 0)[0]) and raw[_KIND] not in _OTHER_KINDS
    }


def _is_left_out(meta: TransactionMeta, result: TransactionResult) -> bool:
    """True if the server left out the meta of a successful call: a real one has a return value."""
    return bool(result.invoke_hash) and meta.return_value is None and not any(meta.event_xdr)


def _has_invocation(contracts: WatchedContracts, raw_events: RawEvents) -> bool:
    """True if one of the events is from a contract whose events all come from invocations."""
    found = (contracts.by_raw(contract_of(raw, 0)[0]) for raw in raw_events.values())
    return any(contract is not None and contract.only_invocations for contract in found)


def dead_letter(
    record: HorizonTransaction,
    reason: str,
    raw: bytes,
    position: Position | None = None,
    source: Provenance | None = None,
) -> dict[str, object]:
    """Create a dead letter: something undecodable, with everything that a later attempt needs.

    With a `position`, the letter is one event, and `raw` is the event's XDR. Without a `position`,
    the letter is a whole transaction: `raw` is its meta, and the letter also has the envelope and
    the result. The position of such a letter is the first one that an event of the transaction
    could have. shared.chain.decode.dead_letters decodes both kinds again.
    """
    of_event = source and {"contractId": source.contract_id, "verified": source.verified}
    return {
        "kind": "meta" if position is None else "event",
        "position": str(position or Position(record.toid, 0)),
        "ledger": record.ledger,
        "closedAt": record.closed_at,
        "txHash": record.hash,
        "why": reason,
        "xdr": _base64(raw),
        **(of_event or {"envelope": _base64(record.envelope), "result": _base64(record.result)}),
    }


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
