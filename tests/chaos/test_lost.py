"""What a run has really lost, in stories: told, excused, and nothing else excused."""

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
"""Unix time of the stories' second 0."""
AT = BEGAN + 10
"""When Redis lost everything."""
ALL = SubscriberView(everything=True)


def body(at: float, origin: str) -> str:
    whole = {"publishedAt": round((BEGAN + at) * 1e6), "origin": origin, "streamId": "1"}
    return orjson.dumps(whole).decode()


def fact(n: int, at: float, origin: str = "chain", place: int = 0) -> ExpectedEvent:
    """One of ledger `n`, published at second `at`."""
    return ExpectedEvent(
        Position(n << 32, place), "stream.paused", "1", frozenset({"alice"}), body(at, origin)
    )


def written(n: int, at: float) -> ExpectedEvent:
    """One of the API's behind ledger `n`."""
    return fact(n, at, "api", round(at))


def entry(of: ExpectedEvent) -> JournalEntry:
    return JournalEntry(str(of.position), "0-0", of.type, (), of.body.encode())


def told(of: ExpectedEvent, at: float) -> ReceivedFrame:
    return ReceivedFrame(at, "fanout-1", of.type, of.position, of.body)


def frame(name: str, position: Position, at: float, since: Position | None = None) -> ReceivedFrame:
    return ReceivedFrame(at, "fanout-1", name, position, since=since)


ONE, TWO, FOUR, FIVE = fact(1, 1), fact(2, 4), fact(4, 14), fact(5, 16)
GONE, UNSEEN, AGAIN = written(2, 5), written(2, 6), written(4, 15)
TWO_AGAIN = replace(TWO, body=body(12, "chain"))
RESET = Position(2 << 32 | 4095, 13)
"""The event that tells everyone, in the journal that began behind event one."""
BEGINS = Position(1 << 32 | 4095, 12)
OLD = [ONE, TWO, GONE, UNSEEN]
TELLS = ExpectedEvent(RESET, "reset", None, frozenset())
NEW = [TWO_AGAIN, TELLS, FOUR, AGAIN, FIVE]
LOST = LostData(journals=[LostJournal(AT, START, [entry(each) for each in OLD])])
FACTS = sorted([ONE, GONE, UNSEEN, *NEW], key=lambda each: each.position)

START_OF = frame("connected", START, 0)
BEFORE = [START_OF, told(ONE, 1), told(TWO, 4), told(GONE, 5), told(UNSEEN, 6)]
TOLD = frame("reset", RESET, 13)
AFTER = [told(FOUR, 14), told(AGAIN, 15), told(FIVE, 16)]


def wrong(
    story: list[ReceivedFrame], facts: list[ExpectedEvent] = FACTS, lost: LostData = LOST
) -> list[Violation]:
    data_loss = DataLoss(lost.data_loss(map(entry, NEW)), {RESET}, lost.begins(BEGINS), lost.held)
    due = due_to(story, facts, data_loss.events, lost, BEGAN)
    return [
        violation
        for life in split_at_resets(story, due, lost.losses, BEGAN, data_loss)
        for violation in check_client("x", ALL, life.told, life.due, lost.spans(BEGINS))
    ]


def kinds(story: list[ReceivedFrame]) -> set[Kind]:
    return {each.kind for each in wrong(story)}


def test_who_is_connected_is_told_once_and_gets_all_that_follows() -> None:
    assert wrong([*BEFORE, TOLD, *AFTER]) == []


def test_who_is_not_told_of_the_loss_misses_it() -> None:
    (violation,) = wrong([*BEFORE, *AFTER])
    assert (violation.kind, violation.where) == (Kind.MISSING, str(RESET))


def test_what_was_due_before_the_loss_is_due_still() -> None:
    (violation,) = wrong([*BEFORE[:3], BEFORE[4], TOLD, *AFTER])
    assert (violation.kind, violation.where) == (Kind.MISSING, str(GONE.position))


def test_what_a_client_had_not_come_to_may_be_gone() -> None:
    assert wrong([*BEFORE[:3], TOLD, *AFTER]) == []


def test_the_chain_s_events_are_due_whoever_lost_them() -> None:
    assert kinds([*BEFORE[:2], TOLD, *AFTER]) == {Kind.MISSING}
    assert wrong([*BEFORE[:2], told(TWO_AGAIN, 12), TOLD, *AFTER]) == []


def test_what_was_published_by_a_wrong_clock_is_lost_all_the_same() -> None:
    ahead = replace(TWO, body=body(64, "chain"))
    assert wrong([*BEFORE[:2], told(ahead, 4), *BEFORE[3:], TOLD, *AFTER]) == []


def test_after_the_reset_everything_holds_again() -> None:
    assert kinds([*BEFORE, TOLD, *AFTER[1:]]) == {Kind.MISSING}
    assert kinds([*BEFORE, TOLD, *AFTER, AFTER[0]]) == {Kind.DUPLICATE}
    assert kinds([*BEFORE, told(TWO_AGAIN, 12), TOLD, *AFTER]) == {Kind.DUPLICATE}


def test_a_reset_without_a_loss_is_one_however_it_is_called() -> None:
    nothing = LostData()
    assert [each.kind for each in wrong([START_OF, told(ONE, 1), TOLD], [ONE], nothing)] == [
        Kind.RESET
    ]


def test_who_comes_back_to_an_emptied_redis_is_sent_the_next_journal_from_its_beginning() -> None:
    back = [frame("connected", UNSEEN.position, 11), frame("reset", START, 11)]
    assert wrong([*BEFORE, *back, told(TWO_AGAIN, 12), TOLD, *AFTER]) == []
    assert kinds([*BEFORE, *back, TOLD, *AFTER]) == {Kind.MISSING}


def test_who_comes_back_from_a_write_that_is_gone_is_told_and_goes_on() -> None:
    back = [frame("connected", GONE.position, 17), frame("reset", AGAIN.position, 17)]
    assert wrong([*BEFORE[:4], *back, told(FIVE, 17)]) == []
    assert kinds([*BEFORE[:4], *back]) == {Kind.MISSING}


def test_who_comes_back_from_before_the_next_journal_is_told_of_a_gap() -> None:
    story = [START_OF, frame("connected", START, 17)]
    gap = frame("gap", BEGINS, 17, START)
    assert wrong([*story, gap, told(TWO_AGAIN, 17), frame("reset", RESET, 17), *AFTER]) == []
    late = frame("gap", TWO.position, 17, START)  # beyond what is not there any more
    assert Kind.MISSING in kinds([*story, late, frame("reset", RESET, 17), *AFTER])


def test_an_entry_that_was_deleted_is_had_or_told() -> None:
    lost = LostData(entries=[entry(TWO)])
    whole = [START_OF, told(ONE, 1), told(TWO, 4), told(FOUR, 14)]
    facts = [ONE, TWO, FOUR]
    gap = frame("gap", TWO.position, 4, ONE.position)
    assert wrong(whole, facts, lost) == []
    assert wrong([*whole[:2], gap, whole[3]], facts, lost) == []
    assert [each.kind for each in wrong([*whole[:2], whole[3]], facts, lost)] == [Kind.MISSING]
    assert [each.kind for each in wrong([*whole[:2], gap], facts[:2], LostData())] == [
        Kind.GAP,
        Kind.MISSING,
    ]


@pytest.mark.parametrize(
    ("position", "inside"),
    [(Position(6 << 32, 0), True), (Position(8 << 32, 0), False), (Position(5 << 32, 9), False)],
)
def test_lost_ledgers_are_a_span_of_their_positions(position: Position, inside: bool) -> None:
    ((first, last),) = LostData(ledgers=[range(6, 8)]).spans(START)
    assert (first <= position <= last) is inside
    assert last == Position((8 << 32) - 1, END.n)
