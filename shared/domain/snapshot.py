"""The event `stream.snapshot`: a stream's state that was read from the contract. Pure.

See docs/decisions/0083-state-is-read-and-audited.md.
"""

from __future__ import annotations

from dataclasses import replace

from shared.domain.events import Event, EventType, Origin
from shared.domain.schedule import merged, schedule_document, schedule_of
from shared.domain.stream import Acceptance, Stream, StreamStatus


def state_fields(stream: Stream) -> dict[str, object]:
    """The contract, parties, amounts and times of a stream, by their names in JSON."""
    return {
        "contractId": stream.contract_id,
        "sender": stream.sender,
        "recipient": stream.recipient,
        "tokenAddress": stream.token,
        "ratePerSecond": str(stream.rate),
        "depositedAmount": str(stream.deposited),
        "withdrawnAmount": str(stream.withdrawn),
        "refundedAmount": str(stream.refunded),
        "startTime": stream.start_time,
        "lastUpdateTime": stream.last_update_time,
    }


def snapshot_event(stream: Stream, now: int) -> Event:
    """The event for a state that was read from the contract. `now`: its timestamp, Unix seconds."""
    facts: dict[str, object] = {
        **state_fields(stream),
        "pausedAt": stream.paused_at,
        "status": stream.status,
        "schedule": schedule_document(stream.schedule),
        "stateLedger": stream.state_ledger,
        "archived": stream.archived,
    }
    return Event(EventType.STREAM_SNAPSHOT, stream.id, now, facts)


def uncertain_event(stream_id: str, now: int, reason: str) -> Event:
    """The event that the state of a stream may be wrong. `now`: Unix seconds.

    `reason`: "gap" or "record_unreadable".
    """
    return Event(EventType.STREAM_UNCERTAIN, stream_id, now, {"reason": reason})


def from_snapshot(stream: Stream | None, event: Event) -> Stream:
    """The state in the event. Fields that the contract does not have are kept from `stream`."""
    read = Stream(
        id=event.stream_id or "",
        origin=Origin.CHAIN,
        contract_id=event.require_text("contractId"),
        sender=event.require_text("sender"),
        recipient=event.require_text("recipient"),
        token=event.require_text("tokenAddress"),
        rate=event.require_number("ratePerSecond"),
        deposited=event.require_number("depositedAmount"),
        withdrawn=event.require_number("withdrawnAmount"),
        refunded=event.require_number("refundedAmount"),
        start_time=event.require_number("startTime"),
        last_update_time=event.require_number("lastUpdateTime"),
        paused_at=event.number("pausedAt"),
        schedule=schedule_of(event.facts.get("schedule")),
        status=StreamStatus(event.require_text("status")),
        state_ledger=event.require_number("stateLedger"),
        archived=event.facts.get("archived") is True,
        created_at=event.require_number("startTime"),
        updated_at=event.timestamp,
    )
    if stream is None:
        return read
    is_same_recipient = read.recipient == stream.recipient
    return replace(
        read,
        schedule=merged(stream.schedule, read.schedule),
        acceptance=stream.acceptance if is_same_recipient else Acceptance.ACCEPTED,
        metadata=stream.metadata,
        version=stream.version + 1,
        created_at=stream.created_at,
        updated_at=max(stream.updated_at, event.timestamp),
    )
