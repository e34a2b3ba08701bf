"""Stories for the checker with real losses: what they excuse, and what they do not."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from shared.domain.position import END, START, Position
from shared.journal.wire import JournalEntry
from tests.chaos.checker import (
    ExpectedEvent,
    Kind,
    ReceivedFrame,
    SubscriberView,
    Violation,
    check_client,
)
from tests.chaos.losses import DataLoss, split_at_resets
from tests.chaos.lost import LostData, LostJournal, due_to

BEGAN = 1_000_000.0
"""The Unix time of second 0 of the stories."""
AT = BEGAN + 10
"""The second at which Redis lost all data."""
ALL = SubscriberView(everything=True)


def body(at: float, origin: str) -> str:
    fields = {"publishedAt": round((BEGAN + at) * 1e6), "origin": origin, "streamId": "1"}
    return orjson.dumps(fields).decode()


def fact(n: int, at: float, origin: str = "chain", index: int = 0) -> ExpectedEvent:
    """An event of ledger `n`, published at second `at`."""
    return ExpectedEvent(
        Position(n << 32, index), "stream.paused", "1", frozenset({"alice"}), body(at, origin)
    )


def written(n: int, at: float) -> ExpectedEvent:
    """An event of the API after ledger `n`."""
    return fact(n, at, "api", round(at))


def entry(of: ExpectedEvent) -> JournalEntry:
    return JournalEntry(str(of.position), "0-0", of.type, (), of.body.encode())


def received(of: ExpectedEvent, at: float) -> ReceivedFrame:
    return ReceivedFrame(at, "fanout-1", of.type, of.position, of.body)


def frame(name: str, position: Position, at: float, since: Position | None = None) -> ReceivedFrame:
    return ReceivedFrame(at, "fanout-1", name, position, since=since)


ONE, TWO, FOUR, FIVE = fact(1, 1), fact(2, 4), fact(4, 14), fact(5, 16)
GONE, UNSEEN, AGAIN = written(2, 5), written(2, 6), written(4, 15)
TWO_AGAIN = replace(TWO, body=body(12, "chain"))
RESET = Position(2 << 32 | 4095, 13)
"""The `journal.reset` in the next journal, which began after event one."""
BEGINS = Position(1 << 32 | 4095, 12)
OLD = [ONE, TWO, GONE, UNSEEN]
TELLS = ExpectedEvent(RESET, "reset", None, frozenset())
NEW = [TWO_AGAIN, TELLS, FOUR, AGAIN, FIVE]
LOST = LostData(journals=[LostJournal(AT, START, [entry(each) for each in OLD])])
FACTS = sorted([ONE, GONE, UNSEEN, *NEW], key=lambda each: each.position)

START_OF = frame("connected", START, 0)
BEFORE = [START_OF, received(ONE, 1), received(TWO, 4), received(GONE, 5), received(UNSEEN, 6)]
RESET_FRAME = frame("reset", RESET, 13)
AFTER = [received(FOUR, 14), received(AGAIN, 15), received(FIVE, 16)]


def wrong(
    story: list[ReceivedFrame], facts: list[ExpectedEvent] = FACTS, lost: LostData = LOST
) -> list[Violation]:
    data_loss = DataLoss(lost.data_loss(map(entry, NEW)), {RESET}, lost.begins(BEGINS), lost.held)
    due = due_to(story, facts, data_loss.events, lost, BEGAN)
    return [
        violation
        for life in split_at_resets(story, due, lost.losses, BEGAN, data_loss)
        for violation in check_client("x", ALL, life.frames, life.expected, lost.spans(BEGINS))
    ]


def kinds(story: list[ReceivedFrame]) -> set[Kind]:
    return {each.kind for each in wrong(story)}


def test_a_live_client_gets_one_reset_and_all_later_events() -> None:
    assert wrong([*BEFORE, RESET_FRAME, *AFTER]) == []


def test_a_missing_reset_after_a_loss_is_a_violation() -> None:
    (violation,) = wrong([*BEFORE, *AFTER])
    assert (violation.kind, violation.where) == (Kind.MISSING, str(RESET))


def test_events_due_before_the_loss_stay_due() -> None:
    (violation,) = wrong([*BEFORE[:3], BEFORE[4], RESET_FRAME, *AFTER])
    assert (violation.kind, violation.where) == (Kind.MISSING, str(GONE.position))


def test_events_above_the_clients_cursor_may_be_gone() -> None:
    assert wrong([*BEFORE[:3], RESET_FRAME, *AFTER]) == []


def test_chain_events_are_due_after_any_loss() -> None:
    assert kinds([*BEFORE[:2], RESET_FRAME, *AFTER]) == {Kind.MISSING}
    assert wrong([*BEFORE[:2], received(TWO_AGAIN, 12), RESET_FRAME, *AFTER]) == []


def test_an_event_published_with_a_wrong_clock_may_be_lost() -> None:
    ahead = replace(TWO, body=body(64, "chain"))
    assert wrong([*BEFORE[:2], received(ahead, 4), *BEFORE[3:], RESET_FRAME, *AFTER]) == []


def test_after_the_reset_all_rules_apply() -> None:
    assert kinds([*BEFORE, RESET_FRAME, *AFTER[1:]]) == {Kind.MISSING}
    assert kinds([*BEFORE, RESET_FRAME, *AFTER, AFTER[0]]) == {Kind.DUPLICATE}
    assert kinds([*BEFORE, received(TWO_AGAIN, 12), RESET_FRAME, *AFTER]) == {Kind.DUPLICATE}


def test_a_reset_without_a_loss_is_a_violation_with_any_reason() -> None:
    nothing = LostData()
    assert [
        each.kind for each in wrong([START_OF, received(ONE, 1), RESET_FRAME], [ONE], nothing)
    ] == [Kind.RESET]


def test_a_resume_at_an_empty_redis_gets_the_whole_next_journal() -> None:
    back = [frame("connected", UNSEEN.position, 11), frame("reset", START, 11)]
    assert wrong([*BEFORE, *back, received(TWO_AGAIN, 12), RESET_FRAME, *AFTER]) == []
    assert kinds([*BEFORE, *back, RESET_FRAME, *AFTER]) == {Kind.MISSING}


def test_a_resume_from_a_lost_write_gets_reset_and_continues() -> None:
    back = [frame("connected", GONE.position, 17), frame("reset", AGAIN.position, 17)]
    assert wrong([*BEFORE[:4], *back, received(FIVE, 17)]) == []
    assert kinds([*BEFORE[:4], *back]) == {Kind.MISSING}


def test_a_resume_from_before_the_next_journal_gets_a_gap() -> None:
    story = [START_OF, frame("connected", START, 17)]
    gap = frame("gap", BEGINS, 17, START)
    assert wrong([*story, gap, received(TWO_AGAIN, 17), frame("reset", RESET, 17), *AFTER]) == []
    late = frame("gap", TWO.position, 17, START)  # covers more than the missing positions
    assert Kind.MISSING in kinds([*story, late, frame("reset", RESET, 17), *AFTER])


def test_a_deleted_entry_is_received_or_covered_by_a_gap() -> None:
    lost = LostData(entries=[entry(TWO)])
    story = [START_OF, received(ONE, 1), received(TWO, 4), received(FOUR, 14)]
    facts = [ONE, TWO, FOUR]
    gap = frame("gap", TWO.position, 4, ONE.position)
    assert wrong(story, facts, lost) == []
    assert wrong([*story[:2], gap, story[3]], facts, lost) == []
    assert [each.kind for each in wrong([*story[:2], story[3]], facts, lost)] == [Kind.MISSING]
    assert [each.kind for each in wrong([*story[:2], gap], facts[:2], LostData())] == [
        Kind.GAP,
        Kind.MISSING,
    ]


@pytest.mark.parametrize(
    ("position", "inside"),
    [(Position(6 << 32, 0), True), (Position(8 << 32, 0), False), (Position(5 << 32, 9), False)],
)
def test_lost_ledgers_give_a_span_of_positions(position: Position, inside: bool) -> None:
    ((first, last),) = LostData(ledgers=[range(6, 8)]).spans(START)
    assert (first <= position <= last) is inside
    assert last == Position((8 << 32) - 1, END.n)
