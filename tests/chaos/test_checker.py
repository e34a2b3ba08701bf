"""The checker must find each kind of violation, and none in a correct story."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.domain.position import START, Position
from tests.chaos.checker import (
    ExpectedEvent,
    Kind,
    ReceivedFrame,
    Span,
    SubscriberView,
    check_client,
    shortest,
)

ALL = SubscriberView(everything=True)


def fact(n: int, stream: str | None = "1", *parties: str) -> ExpectedEvent:
    return ExpectedEvent(Position(n, 0), "stream.paused", stream, frozenset(parties), f"body {n}")


def received(of: ExpectedEvent, at: float = 0.0) -> ReceivedFrame:
    return ReceivedFrame(at, "fanout-1", of.type, of.position, of.body)


def connected(n: int = 0) -> ReceivedFrame:
    return ReceivedFrame(0.0, "fanout-1", "connected", Position(n, 0))


def gap(since: int, to: int) -> ReceivedFrame:
    return ReceivedFrame(0.0, "fanout-1", "gap", Position(to, 0), since=Position(since, 0))


def lost(since: int, to: int) -> Span:
    """The span after the first position, up to and including the second."""
    return Position(since, 1), Position(to, 0)


def told_as_lost(story: list[ReceivedFrame]) -> list[Span]:
    """The gaps of the story, as spans that were really lost."""
    return [lost(each.since.toid, each.position.toid) for each in story if each.since is not None]


def kinds(
    asked: SubscriberView,
    story: list[ReceivedFrame],
    facts: list[ExpectedEvent],
    spans: list[Span] | None = None,
) -> list[Kind]:
    spans = told_as_lost(story) if spans is None else spans
    return [each.kind for each in check_client("somebody", asked, story, facts, spans)]


FACTS = [fact(n, "1", "alice", "bob") for n in range(1, 6)]
STORY = [connected(), *map(received, FACTS)]


def test_a_complete_story_in_order_has_no_violation() -> None:
    assert kinds(ALL, STORY, FACTS) == []


def test_a_client_that_never_connected_has_missed_nothing() -> None:
    assert kinds(ALL, [], FACTS) == []


def test_events_before_the_first_position_are_not_missing() -> None:
    assert kinds(ALL, [connected(2), *map(received, FACTS[2:])], FACTS) == []


def test_a_missing_event_is_reported_with_its_neighbours() -> None:
    (wrong,) = check_client("somebody", ALL, [STORY[0], *STORY[2:]], FACTS)
    assert (wrong.kind, wrong.where) == (Kind.MISSING, "1-0")
    assert wrong.history == (str(STORY[0]), str(STORY[2]))


def test_a_missing_last_event_is_reported() -> None:
    assert kinds(ALL, STORY[:-1], FACTS) == [Kind.MISSING]


def test_events_inside_an_announced_gap_are_not_missing() -> None:
    assert kinds(ALL, [STORY[0], gap(0, 2), *STORY[3:]], FACTS) == []


def test_a_gap_covers_events_after_its_from_up_to_its_to() -> None:
    assert kinds(ALL, [STORY[0], STORY[1], gap(2, 3), *STORY[4:]], FACTS) == [Kind.MISSING]


def test_a_lost_event_without_a_gap_is_missing() -> None:
    assert kinds(ALL, [STORY[0], *STORY[2:]], FACTS, [lost(0, 1)]) == [Kind.MISSING]


def test_a_gap_does_not_excuse_events_that_were_not_lost() -> None:
    story = [STORY[0], gap(0, 2), *STORY[3:]]
    assert kinds(ALL, story, FACTS, [lost(0, 1)]) == [Kind.MISSING]


def test_a_gap_without_a_loss_is_a_violation() -> None:
    story = [*STORY, gap(5, 7)]
    assert kinds(ALL, story, FACTS, [lost(3, 5)]) == [Kind.GAP]
    assert kinds(ALL, story, FACTS, [lost(3, 6)]) == []


def test_the_same_event_on_two_connections_is_a_duplicate() -> None:
    story = [*STORY[:3], connected(2), STORY[2], *STORY[3:]]
    (wrong,) = check_client("somebody", ALL, story, FACTS)
    assert wrong.kind == Kind.DUPLICATE
    assert wrong.history == tuple(map(str, story[2:5]))


def test_an_older_event_after_a_newer_one_is_out_of_order() -> None:
    story = [STORY[0], STORY[2], STORY[1], *STORY[3:]]
    assert kinds(ALL, story, FACTS) == [Kind.DISORDER]


def test_an_event_below_the_position_of_a_sync_is_out_of_order() -> None:
    sync = ReceivedFrame(0.0, "fanout-1", "sync", Position(3, 0))
    assert kinds(ALL, [*STORY[:3], sync, *STORY[3:]], FACTS) == [Kind.DISORDER]


def test_a_body_that_differs_from_the_journal_is_altered() -> None:
    story = [*STORY[:-1], replace(STORY[-1], body="other words")]
    assert kinds(ALL, story, FACTS) == [Kind.ALTERED]


def test_an_event_that_was_never_made_is_unknown() -> None:
    assert kinds(ALL, [*STORY, received(fact(9))], FACTS) == [Kind.UNKNOWN]


def test_a_reset_is_a_violation_even_if_all_events_arrived() -> None:
    reset = ReceivedFrame(0.0, "fanout-1", "reset", Position(5, 0))
    assert kinds(ALL, [*STORY, reset], FACTS) == [Kind.RESET]


@pytest.mark.parametrize(
    "asked",
    [
        SubscriberView(everything=True, holder="carol"),
        SubscriberView(accounts=frozenset({"carol"})),
        SubscriberView(streams=frozenset({"2"})),
        SubscriberView(streams=frozenset({"1"}), holder="carol"),
    ],
    ids=["not a party", "another account", "another stream", "asked for, not a party"],
)
def test_an_event_for_another_account_is_a_leak(asked: SubscriberView) -> None:
    assert kinds(asked, [connected(), received(FACTS[0])], FACTS[:1]) == [Kind.LEAK]


def test_an_event_without_parties_is_for_everyone() -> None:
    news = fact(1, None)
    assert kinds(
        SubscriberView(accounts=frozenset({"carol"}), holder="carol"), [connected()], [news]
    ) == [Kind.MISSING]


def test_shortest_returns_the_violation_with_the_shortest_history() -> None:
    found = check_client("somebody", ALL, [STORY[0], STORY[3], STORY[3], STORY[1]], FACTS)
    best = shortest(found)
    assert best
    assert len(best.history) == min(len(each.history) for each in found if each.history)
    assert shortest([]) is None


def test_the_first_position_is_below_all_events() -> None:
    assert connected().position == START
