"""Comparing the journal with the ledger and with acknowledged writes."""

from __future__ import annotations

from typing import Any

import orjson

from shared.domain.position import parse_position
from shared.journal.wire import JournalEntry
from tests.chaos.checker import Kind
from tests.chaos.facts import NOBODY, expected_events
from tests.chaos.journals import AcknowledgedWrite
from tests.chaos.lost import LostData, LostJournal

ALICE, BOB, CAROL = "GALICE", "GBOB", "GCAROL"


def held(n: int, name: str, stream: str | None = "1", **data: str) -> dict[str, Any]:
    return {
        "id": f"{n}-0",
        "ledger": 1,
        "closedAt": "now",
        "txHash": "abc",
        "name": name,
        "streamId": stream,
        "data": data,
    }


CREATED = held(2, "stream_created", sender=ALICE, recipient=BOB)
LEDGER = [
    held(1, "fee_collected", fee_amount="5"),
    CREATED,
    held(3, "stream_paused", paused_at="7"),
    held(4, "recipient_transferred", old_recipient=BOB, new_recipient=CAROL),
    held(6, "stream_resumed"),
    held(7, "fee_config_updated", None),
]


def kept(of: dict[str, Any], **more: object) -> JournalEntry:
    names = {"fee_amount": "feeAmount", "paused_at": "pausedAt", "old_recipient": "oldRecipient"}
    names |= {"new_recipient": "newRecipient"}
    facts = {names.get(name, name): value for name, value in of["data"].items()}
    provenance = {"txHash": "abc", "ledger": 1, "ledgerClosedAt": "now", "streamId": of["streamId"]}
    body = {"origin": "chain", **provenance, **facts, **more}
    return JournalEntry(of["id"], "0-0", "stream.something", (), orjson.dumps(body))


def made(
    position: str, version: int, kind: str = "stream.created", stream: str = "api-1"
) -> JournalEntry:
    body = {"origin": "api", "streamId": stream, "stream": {"version": version}}
    return JournalEntry(position, "0-0", kind, (), orjson.dumps(body))


JOURNAL = [kept(each) for each in LEDGER]
ACK = AcknowledgedWrite("streams", "api-1", 1, "7-9", frozenset({ALICE, CAROL}))


def wrong(journal: list[JournalEntry], *acks: AcknowledgedWrite) -> list[Kind]:
    return [each.kind for each in expected_events(LEDGER, acks, journal)[1]]


def test_a_journal_equal_to_the_ledger_has_no_violation() -> None:
    assert wrong(JOURNAL) == []


def test_the_audience_of_an_event_follows_from_the_ledger() -> None:
    facts, _ = expected_events(LEDGER, [], JOURNAL)
    assert [fact.parties for fact in facts] == [
        {ALICE, BOB},  # a fee, which comes before its stream
        {ALICE, BOB},
        {ALICE, BOB},
        {ALICE, BOB, CAROL},
        {ALICE, CAROL},
        set(),  # everyone
    ]


def test_a_sender_that_was_its_own_recipient_stays_a_party() -> None:
    story = [
        held(1, "stream_created", sender=ALICE, recipient=ALICE),
        held(2, "recipient_transferred", old_recipient=ALICE, new_recipient=BOB),
        held(3, "stream_paused"),
    ]
    facts, _ = expected_events(story, [], [])
    assert [fact.parties for fact in facts] == [{ALICE}, {ALICE, BOB}, {ALICE, BOB}]


def test_a_notice_is_for_the_parties_of_its_time() -> None:
    notices = [made(f"{n}-5", 9, "stream.running_low", "1") for n in (3, 4)]
    facts, found = expected_events(LEDGER, [], [*JOURNAL, *notices])
    assert [f.parties for f in facts if f.type == "stream.running_low"] == [
        {ALICE, BOB},
        {ALICE, CAROL},
    ]
    assert [each.kind for each in found] == [Kind.DUPLICATE], "one version, two notices"


def test_a_ledger_event_missing_in_the_journal_is_lost() -> None:
    assert wrong(JOURNAL[1:]) == [Kind.LOST]


def test_a_journal_event_missing_in_the_ledger_is_unknown() -> None:
    assert wrong([*JOURNAL, kept(held(8, "stream_paused"))]) == [Kind.UNKNOWN]


def test_an_event_that_differs_from_the_ledger_is_altered() -> None:
    assert wrong([kept(LEDGER[0], feeAmount="6"), *JOURNAL[1:]]) == [Kind.ALTERED]


def test_an_acknowledged_write_must_be_at_its_position() -> None:
    assert wrong([*JOURNAL, made("7-9", 1)], ACK) == []
    assert wrong(JOURNAL, ACK) == [Kind.LOST]
    assert wrong([*JOURNAL, made("7-8", 1)], ACK) == [Kind.LOST]


def test_a_command_executed_twice_is_a_duplicate() -> None:
    twice = [made("7-9", 1), made("7-10", 2, "stream.topped_up")]
    assert wrong([*JOURNAL, *twice], ACK) == [Kind.DUPLICATE]


def test_automatic_events_need_no_command() -> None:
    ended = [made("7-9", 1), made("7-10", 2, "stream.completed")]
    assert wrong([*JOURNAL, *ended], ACK) == []


def test_a_version_that_exists_twice_is_a_duplicate() -> None:
    assert Kind.DUPLICATE in wrong([*JOURNAL, made("7-9", 1), made("7-10", 1)], ACK)


def snapshot(position: str, ledger: int, sender: str, recipient: str) -> JournalEntry:
    """A stream of the chain that was read from the contract, as of the end of `ledger`."""
    parties = {"sender": sender, "recipient": recipient}
    stream = {"streamId": "1", "stateLedger": ledger, "stream": {"version": 1}}
    body = orjson.dumps({"origin": "api", **stream, **parties})
    return JournalEntry(position, "0-0", "stream.snapshot", (), body)


def test_events_after_a_snapshot_are_for_its_parties() -> None:
    """The journal began after the creation, so before the snapshot nobody knew the stream."""
    story = [CREATED, held(3, "stream_paused"), held(6, "stream_resumed")]
    journal = [kept(story[1]), snapshot("5-1", 1, ALICE, CAROL), kept(story[2])]
    facts, found = expected_events(story, [], journal, began=parse_position("2-0"))
    assert found == []
    assert [(str(fact.position), fact.sure or fact.parties) for fact in facts[1:]] == [
        ("3-0", NOBODY),
        ("5-1", {ALICE, CAROL}),
        ("6-0", {ALICE, CAROL}),
    ]


def test_a_snapshot_includes_the_transfers_of_its_ledger() -> None:
    moved = held(6, "recipient_transferred", old_recipient=BOB, new_recipient=CAROL)
    story = [CREATED, moved, held(7, "stream_paused")]
    for ledger, recipient in (1, BOB), (0, CAROL):
        journal = [kept(story[0]), snapshot("5-1", ledger, ALICE, BOB), *map(kept, story[1:])]
        facts, _ = expected_events(story, [], journal)
        assert facts[-1].parties == {ALICE, recipient}


def test_two_journals_can_have_an_event_for_different_accounts() -> None:
    """The first journal did not know the stream, the second has read it from the contract."""
    story = [CREATED, held(6, "stream_paused")]
    lost = LostData(journals=[LostJournal(1.0, parse_position("2-0"), [kept(story[1])])])
    journal = [snapshot("5-1", 1, ALICE, BOB), kept(story[1])]
    facts, _ = expected_events(story, [], journal, lost, parse_position("3-0"))
    assert facts[-1].parties >= {ALICE, BOB}, "they may get it"
    assert facts[-1].sure == NOBODY, "in the first journal they were not known"
