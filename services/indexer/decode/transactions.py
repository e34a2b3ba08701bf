"""A transaction as Horizon tells it, read into events of ours, dead letters and a verdict.

Pure. The 32 raw bytes of a contract occur in every transaction that can hold events of it, so most
transactions cost a search through bytes (services.indexer.decode.contracts).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.indexer.decode.contracts import WatchedContracts
from services.indexer.decode.proof import verify
from services.indexer.decode.records import HorizonTransaction
from services.indexer.decode.stream_contract import UnreadableEventError
from services.indexer.xdr import (
    TransactionMeta,
    TransactionResult,
    XdrError,
    decode_contract_event,
    decode_meta,
    decode_result,
)
from services.indexer.xdr.event import contract_of
from shared.domain.errors import HeadraceError
from shared.domain.events import Event, Provenance
from shared.domain.position import Position

_KIND, _OTHER_KINDS = slice(40, 44), (bytes(4), (2).to_bytes(4, "big"))
"""Where an event with a contract's id has its kind, and the kinds that others say of a contract."""


class MetaMissingError(HeadraceError):
    """The source left the transaction's meta out; another must be asked for it."""


class UnprovedError(HeadraceError):
    """The events do not hash to what consensus signed: someone altered them."""


@dataclass(slots=True)
class DecodedEvents:
    """What one or more transactions came to. A dead letter is JSON-ready."""

    events: list[Event] = field(default_factory=list)
    dead: list[dict[str, object]] = field(default_factory=list)


RawEvents = Mapping[Position, bytes]
"""A transaction's events as Stellar RPC's getEvents told them: XDR by position."""


def decode_transaction(
    record: HorizonTransaction,
    contracts: WatchedContracts,
    into: DecodedEvents,
    *,
    rpc_events: RawEvents | None = None,
    accept_unproved: bool = False,
) -> None:
    """Add the contracts' events and dead letters of one transaction.

    `rpc_events`, where there is any, must be just what the meta holds. `accept_unproved` keeps what
    cannot be proved, marked as such. Raises MetaMissingError when another source must be asked for
    the meta, UnprovedError when the events were altered on the way, XdrError when the meta or the
    result as a whole cannot be read.
    """
    if not rpc_events and not (
        record.successful and contracts.may_emit(record.envelope, record.meta)
    ):
        return
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
    # What comes from a call is proved by the call's result: there None is no proof.
    if is_altered or (
        not verified and any(_is_from_invocation(contracts, raw) for raw in raw_events.values())
    ):
        if not accept_unproved:
            raise UnprovedError(f"transaction {record.hash} of ledger {record.ledger}")
        verified = False
    _add_events(record, contracts, raw_events, verified, into)


def decode_events(
    record: HorizonTransaction,
    contracts: WatchedContracts,
    rpc_events: RawEvents,
    into: DecodedEvents,
    verified: bool | None = None,
) -> None:
    """Add the events of a transaction whose result is not to be had, so nothing proves them.

    `verified` is what was found when it was.
    """
    _add_events(record, contracts, rpc_events, verified, into)


def _add_events(
    record: HorizonTransaction,
    contracts: WatchedContracts,
    raw_events: RawEvents,
    verified: bool | None,
    into: DecodedEvents,
) -> None:
    closed = record.closed
    for position, raw in raw_events.items():
        contract = contracts.by_raw(contract_of(raw, 0)[0])
        assert contract, "only what comes from one of the contracts gets here"
        source = Provenance(
            contract.address, record.ledger, record.closed_at, record.hash, verified
        )
        try:
            event = decode_contract_event(raw)
            into.events.append(contract.read(event, position, source, closed))
        except (XdrError, UnreadableEventError) as error:
            into.dead.append(dead_letter(record, str(error), raw, position, source))


def _events_of(
    contracts: WatchedContracts, record: HorizonTransaction, meta: TransactionMeta
) -> RawEvents:
    """What the contracts themselves said, without what system and diagnostics say of them."""
    return {
        Position(record.toid + operation, index): raw
        for operation, events in enumerate(meta.event_xdr)
        for index, raw in enumerate(events)
        if contracts.by_raw(contract_of(raw, 0)[0]) and raw[_KIND] not in _OTHER_KINDS
    }


def _is_left_out(meta: TransactionMeta, result: TransactionResult) -> bool:
    """Whether the meta of a successful call was left out: a complete one has a return value."""
    return bool(result.invoke_hash) and meta.return_value is None and not any(meta.event_xdr)


def _is_from_invocation(contracts: WatchedContracts, raw: bytes) -> bool:
    contract = contracts.by_raw(contract_of(raw, 0)[0])
    return contract is not None and contract.only_invocations


def dead_letter(
    record: HorizonTransaction,
    reason: str,
    raw: bytes,
    position: Position | None = None,
    source: Provenance | None = None,
) -> dict[str, object]:
    """What is kept of something that could not be read, all that reading it later takes.

    An event at its `position`; without one the transaction's whole meta, at the first place that
    an event of it could have, beside what proves it. services.indexer.decode.dead_letters reads it
    again.
    """
    of_event = source and {"contractId": source.contract_id, "verified": source.verified}
    return {
        "kind": "meta" if position is None else "event",
        "position": str(position or Position(record.toid, 0)),
        "ledger": record.ledger,
        "closedAt": record.closed_at,
        "txHash": record.hash,
        "why": reason,
        "xdr": _text(raw),
        **(of_event or {"envelope": _text(record.envelope), "result": _text(record.result)}),
    }


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
