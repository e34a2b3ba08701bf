"""Compare a stored stream with the contract's record of it. Pure."""

from __future__ import annotations

from typing import NamedTuple

from shared.chain.decode.stream_record import StreamRecord
from shared.domain.events import Origin
from shared.domain.schedule import merged
from shared.domain.stream import Stream, StreamStatus


class FieldDifference(NamedTuple):
    """A field that has one value in the stored stream, and another in the contract's record."""

    field: str
    stored: str
    contract: str


def stream_of_record(
    stream_id: str, record: StreamRecord, contract_id: str, ledger: int, *, archived: bool = False
) -> Stream:
    """The stream in a record, as of the end of `ledger`."""
    status = _status(record)
    cancelled = status is StreamStatus.CANCELLED
    return Stream(
        id=stream_id,
        origin=Origin.CHAIN,
        contract_id=contract_id,
        sender=record.sender,
        recipient=record.recipient,
        token=record.token,
        rate=record.rate,
        deposited=record.deposited,
        withdrawn=record.withdrawn,
        refunded=record.deposited - record.withdrawn if cancelled else 0,
        start_time=record.start,
        last_update_time=record.anchor,
        paused_at=record.paused_at if record.active else None,
        schedule=record.schedule,
        status=status,
        state_ledger=ledger,
        archived=archived,
        created_at=record.start,
        updated_at=record.anchor,
    )


def _status(record: StreamRecord) -> StreamStatus:
    """The status. The contract can resume a cancelled stream; it still counts as cancelled."""
    if record.active:
        return StreamStatus.ACTIVE if record.paused_at is None else StreamStatus.PAUSED
    completed = record.status == "Completed"
    return StreamStatus.COMPLETED if completed else StreamStatus.CANCELLED


def differences(stored: Stream, contract: Stream) -> list[FieldDifference]:
    """The fields in which the two differ.

    If the stored schedule is not known yet, it does not count as different. After the end of a
    stream, its anchor and its pause are not compared: they have no effect any more, and the
    contract may still change them.
    """
    names = ["sender", "recipient", "token", "rate", "deposited", "withdrawn", "refunded", "status"]
    if not contract.terminal:
        names += ["last_update_time", "paused_at"]
    if not stored.schedule.unknown:
        names.append("schedule")
    pairs = ((name, getattr(stored, name), getattr(contract, name)) for name in names)
    return [FieldDifference(name, str(a), str(b)) for name, a, b in pairs if a != b]


def is_learned(stored: Stream, contract: Stream) -> bool:
    """True if the record contains something new that no event contains.

    This is a schedule that was not known, or that the record was archived or restored.
    """
    schedule = merged(stored.schedule, contract.schedule)
    is_new_schedule = bool(stored.schedule.unknown) and stored.schedule != schedule
    return is_new_schedule or stored.archived is not contract.archived
