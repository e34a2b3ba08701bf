"""A stored stream, compared with the contract's record of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.indexer.state.comparison import differences, is_learned, stream_of_record
from shared.chain.decode.stream_record import StreamRecord
from shared.domain.commands import next_notice
from shared.domain.events import Event
from shared.domain.schedule import LINEAR, UNKNOWN, Schedule, ScheduleKind
from shared.domain.snapshot import snapshot_event, uncertain_event
from shared.domain.stream import Acceptance, Stream, StreamStatus
from shared.domain.transitions import apply
from shared.journal.stream_document import stream_document, stream_of
from tests.shared.chain.decode.test_sequences import decoded, follow
from tests.shared.samples import PROVENANCE, TYPE, R, S, at, chain, stored
from tests.support.sequences import FILES, sequences

RECORD = StreamRecord(
    sender=S, recipient=R, token="C", rate=5, deposited=1000, withdrawn=10, start=100,
    anchor=102, active=True, paused_at=None, status="Active", schedule=LINEAR,
)  # fmt: skip
CLIFF = Schedule(kind=ScheduleKind.CLIFF, cliff_time=500)


def read(record: StreamRecord = RECORD, ledger: int = 9) -> Stream:
    return stream_of_record("7", record, "C", ledger)


def record_of(state: dict[str, Any], schedule: Schedule) -> StreamRecord:
    """The record in a state as the recorded answers of the real contract show it."""
    return StreamRecord(
        sender=state["sender"],
        recipient=state["recipient"],
        token=state["token"],
        rate=int(state["rate"]),
        deposited=int(state["deposited"]),
        withdrawn=int(state["withdrawn"]),
        start=int(state["start"]),
        anchor=int(state["anchor"]),
        active=state["active"],
        paused_at=int(state["pausedAt"]) if state["paused"] else None,
        status=state["status"],
        schedule=schedule,
    )


@pytest.mark.parametrize("name", FILES)
def test_no_state_of_the_real_contract_differs_from_ours(name: str) -> None:
    for sequence in sequences(name):
        states: dict[str, Stream | None] = {}
        for step, events in decoded(sequence):
            follow(states, step, events)
            for stream_id, state in step.states.items():
                ours = stored(states[stream_id])
                record = record_of(state, ours.schedule)
                theirs = stream_of_record(stream_id, record, sequence.contract, 1)
                assert differences(ours, theirs) == []


@pytest.mark.parametrize(
    "change",
    [
        {"sender": R}, {"recipient": S}, {"token": "D"}, {"rate": 6}, {"deposited": 1001},
        {"withdrawn": 11}, {"anchor": 103}, {"paused_at": 110}, {"schedule": CLIFF},
        {"active": False, "status": "Cancelled"}, {"active": False, "status": "Completed"},
    ],
)  # fmt: skip
def test_every_field_is_compared(change: dict[str, Any]) -> None:
    assert differences(read(), read()) == []
    assert differences(read(), read(RECORD._replace(**change)))


def test_a_stream_that_was_resumed_after_its_cancellation_is_cancelled() -> None:
    zombie = read(RECORD._replace(active=False, anchor=900))
    assert (zombie.status, zombie.refunded) == (StreamStatus.CANCELLED, 990)
    ours = replace(zombie, last_update_time=500, paused_at=400)
    assert differences(ours, zombie) == []


def test_a_schedule_that_was_unknown_is_learned_and_is_no_difference() -> None:
    ours = replace(read(), schedule=UNKNOWN)
    theirs = read(RECORD._replace(schedule=CLIFF))
    assert differences(ours, theirs) == []
    assert is_learned(ours, theirs)
    assert not is_learned(read(), theirs)
    assert not is_learned(ours, ours)
    assert is_learned(ours, replace(ours, archived=True))
    assert is_learned(replace(ours, archived=True), ours)


def test_a_snapshot_keeps_what_only_headrace_knows() -> None:
    ours = replace(read(), acceptance=Acceptance.HIDDEN, metadata={"label": "rent"}, version=4)
    theirs = read(RECORD._replace(withdrawn=500), ledger=20)
    after = stored(apply(ours, snapshot_event(theirs, 200)))
    assert (after.withdrawn, after.state_ledger, after.version) == (500, 20, 5)
    assert (after.acceptance, after.metadata) == (Acceptance.HIDDEN, {"label": "rent"})
    assert stream_of(stream_document(replace(after, position="1-1"), 300)) == replace(
        after, position="1-1"
    )


def withdrawal(ledger: int) -> Event:
    source = PROVENANCE.__class__("C", ledger, "2026-07-21T18:01:10Z", "ab" * 32, True)
    return chain(
        TYPE.STREAM_WITHDRAWN, "7", at(ledger), provenance=source, amount="5", timestamp=300
    )


def test_an_event_that_the_record_includes_changes_only_the_version() -> None:
    known = stored(apply(None, snapshot_event(read(ledger=20), 200)))
    for ledger in (19, 20):
        again = stored(apply(known, withdrawal(ledger)))
        assert (again.withdrawn, again.version) == (10, known.version + 1)
    assert stored(apply(known, withdrawal(21))).withdrawn == 15
    created = chain(TYPE.STREAM_CREATED, "7", at(20), provenance=withdrawal(20).provenance)  # type: ignore[arg-type]
    assert stored(apply(known, created)).withdrawn == 10


ENDED = RECORD._replace(rate=10**6)
"""All money of this stream had accrued within a second."""


def test_no_old_notice_is_sent_for_a_stream_that_ended_before_the_start() -> None:
    known = stored(apply(None, snapshot_event(read(ENDED), 5000)))
    assert known.notices_sent == 3
    assert next_notice(known) is None


@pytest.mark.parametrize("uncertain", [False, True])
def test_a_notice_that_was_sent_is_not_sent_again_after_a_snapshot(uncertain: bool) -> None:
    known = replace(read(ENDED), notices_sent=3, position="1-1")
    if uncertain:
        known = stored(apply(known, uncertain_event("7", 4000, "gap")))
        assert next_notice(known) is None
    after = stored(apply(known, snapshot_event(read(ENDED), 5000)))
    assert after.notices_sent == 3
    longer = ENDED._replace(deposited=10**12)
    assert stored(apply(known, snapshot_event(read(longer), 5000))).notices_sent < 3


def test_after_a_snapshot_with_another_recipient_the_stream_is_accepted() -> None:
    hidden = replace(read(), acceptance=Acceptance.HIDDEN, position="1-1")
    moved = stored(apply(hidden, snapshot_event(read(RECORD._replace(recipient=S)), 5000)))
    assert moved.acceptance is Acceptance.ACCEPTED
    same = stored(apply(hidden, snapshot_event(read(), 5000)))
    assert same.acceptance is Acceptance.HIDDEN
