"""The journal of a run with losses: gaps and resets that it must have, and must not have."""

from __future__ import annotations

from collections import Counter

import orjson
import pytest

from shared.domain.position import START, Position, parse_position
from shared.journal.wire import JournalEntry
from tests.chaos.checker import Kind, SubscriberView
from tests.chaos.facts import NOBODY, expected_events
from tests.chaos.journals import AcknowledgedWrite, check_notices
from tests.chaos.lost import LostData, LostJournal
from tests.chaos.test_facts import ALICE, BOB, CAROL, held, kept


def at(ledger: int, name: str, **data: str) -> dict[str, object]:
    """An event of the first stream."""
    return held(ledger << 32, name, **data) | {"ledger": 1}


LEDGER = [
    at(1, "stream_created", sender=ALICE, recipient=BOB),
    at(2, "stream_paused"),
    at(3, "recipient_transferred", old_recipient=BOB, new_recipient=CAROL),
    at(4, "stream_resumed"),
]
JOURNAL = [kept(each) for each in LEDGER]


def gap(after: int, upto: int) -> JournalEntry:
    """A gap of all ledgers after the first, up to the second."""
    since, to = Position(after << 32 | 4095, 0), Position((upto << 32) + (1 << 32) - 1, 0)
    facts = {"from": str(since), "to": str(to), "origin": "chain", "streamId": None}
    return JournalEntry(str(to), "0-0", "chain.gap", (), orjson.dumps(facts))


def reset(ledger: int) -> JournalEntry:
    body = {"origin": "chain", "streamId": None}
    return JournalEntry(f"{ledger << 32 | 4095}-9", "0-0", "journal.reset", (), orjson.dumps(body))


def written(position: str, version: int, **more: object) -> JournalEntry:
    body = {"origin": "api", "streamId": "a", "stream": {"version": version}, **more}
    return JournalEntry(position, "0-0", "stream.created", (), orjson.dumps(body))


def kinds(
    journal: list[JournalEntry], lost: LostData, *acks: AcknowledgedWrite, began: Position = START
) -> list[Kind]:
    return [each.kind for each in expected_events(LEDGER, acks, journal, lost, began)[1]]


WITH_GAP = [JOURNAL[0], gap(1, 3), JOURNAL[3]]


def test_a_gap_must_match_the_lost_ledgers() -> None:
    lost = LostData(ledgers=[range(2, 4)])
    assert kinds(WITH_GAP, lost) == []
    assert kinds([JOURNAL[0], JOURNAL[3]], lost) == [Kind.LOST, Kind.LOST], "no gap"
    assert kinds(WITH_GAP, LostData()) == [Kind.GAP], "not lost"
    assert kinds(WITH_GAP, LostData(ledgers=[range(2, 3)])) == [Kind.GAP], "not all of it was lost"
    assert kinds([JOURNAL[0], gap(1, 2), JOURNAL[3]], lost) == [Kind.LOST], "the gap is too short"


def test_a_gap_is_for_everyone_and_hides_changes_of_parties() -> None:
    facts, _ = expected_events(LEDGER, [], WITH_GAP, LostData(ledgers=[range(2, 4)]))
    assert [f.type for f in facts if not f.parties] == ["gap"]
    assert facts[-1].parties == {ALICE, BOB}, "the change of its recipient was lost"


OLD = [JOURNAL[0], JOURNAL[1], written(f"{2 << 32}-7", 1)]
LOST = LostData(journals=[LostJournal(0.0, START, OLD)])
ACK = AcknowledgedWrite("streams", "a", 1, f"{2 << 32}-7", frozenset({ALICE}))
BEGAN = parse_position(f"{2 << 32 | 4095}-5")


def test_after_a_loss_of_all_data_the_next_journal_has_one_reset() -> None:
    after = [reset(2), *JOURNAL[2:]]
    assert kinds(after, LOST, ACK, began=BEGAN) == []
    assert kinds(after[1:], LOST, ACK, began=BEGAN) == [Kind.UNANNOUNCED]
    assert kinds([*after, reset(5)], LOST, ACK, began=BEGAN) == [Kind.UNANNOUNCED]
    low = [reset(1), *JOURNAL[2:]]
    assert kinds(low, LOST, ACK, began=BEGAN) == [Kind.UNANNOUNCED], "below an older position"
    assert kinds([*JOURNAL, reset(5)], LostData()) == [Kind.RESET], "nothing was lost"


def test_after_a_loss_of_all_data_the_chain_events_must_exist() -> None:
    assert kinds([reset(2), JOURNAL[3]], LOST, ACK, began=BEGAN) == [Kind.LOST]


def test_only_writes_from_before_a_loss_of_all_data_may_be_gone() -> None:
    after = [reset(2), *JOURNAL[2:]]
    later = AcknowledgedWrite("streams", "a", 2, f"{3 << 32}-7", frozenset({ALICE}))
    assert kinds(after, LOST, ACK, later, began=BEGAN) == [Kind.LOST]


def test_a_command_without_an_answer_may_be_done_once_in_a_lost_journal() -> None:
    """Redis lost everything between the first request and its repetition, which was refused."""
    done = [*OLD, written(f"{2 << 32}-8", 2)]
    twice = [*done, written(f"{2 << 32}-9", 3)]
    after, unanswered = [reset(2), *JOURNAL[2:]], Counter({"a": 1})

    def wrong(old: list[JournalEntry], commands: Counter[str]) -> list[Kind]:
        lost = LostData(journals=[LostJournal(0.0, START, old)], commands=commands)
        return kinds(after, lost, ACK, began=BEGAN)

    assert wrong(done, unanswered) == []
    assert wrong(done, Counter()) == [Kind.DUPLICATE], "every command was answered"
    assert wrong(twice, unanswered) == [Kind.DUPLICATE], "done twice"
    nothing_lost = LostData(commands=unanswered)
    assert kinds([*JOURNAL, *done[2:]], nothing_lost, ACK) == [Kind.DUPLICATE], "it is still there"


def test_the_parties_of_a_stream_from_before_the_journal_are_unknown() -> None:
    facts, _ = expected_events(LEDGER, [], [reset(2), *JOURNAL[2:]], LOST, BEGAN)
    parties_by_ledger = {
        fact.position.ledger: fact.parties for fact in facts if fact.stream_id == "1"
    }
    assert parties_by_ledger == {1: {ALICE, BOB}, 2: {ALICE, BOB}, 3: {BOB, CAROL}, 4: NOBODY}


def test_an_event_in_two_journals_is_due_to_parties_known_in_both() -> None:
    began = parse_position(f"{1 << 32 | 4095}-5")
    facts, found = expected_events(LEDGER, [], [JOURNAL[1], reset(2), *JOURNAL[2:]], LOST, began)
    assert found == []
    (paused,) = [fact for fact in facts if fact.type == "stream_paused"]
    assert (paused.parties, paused.sure) == (frozenset({ALICE, BOB}), NOBODY)
    alice = SubscriberView(accounts=frozenset({ALICE}))
    assert (alice.is_for(paused), alice.is_due(paused)) == (True, False)
    assert SubscriberView(everything=True).is_due(paused)


def test_events_from_before_the_first_journal_are_not_due() -> None:
    began = parse_position(f"{2 << 32 | 4095}-5")
    assert kinds(JOURNAL[2:], LostData(), began=began) == []
    assert kinds(JOURNAL[2:], LostData()) == [Kind.LOST, Kind.LOST]


def test_a_deleted_entry_counts_as_published() -> None:
    assert kinds([JOURNAL[0], *JOURNAL[2:]], LostData(entries=[JOURNAL[1]])) == []
    gone = LostData(entries=[written("1-7", 1)])
    assert kinds(JOURNAL, gone, AcknowledgedWrite("streams", "a", 1, "1-7", frozenset())) == []


@pytest.mark.parametrize(("ahead", "seen"), [(0, []), (-9, []), (60, [Kind.EARLY])])
def test_a_notice_before_its_time_is_a_violation(ahead: int, seen: list[Kind]) -> None:
    entry = written("1-7", 2, timestamp=100 + ahead, publishedAt=100_000_000)
    assert [each.kind for each in check_notices([entry])] == seen
