"""The checker has to see each kind of harm, and must not cry where there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.domain.position import START, Position
from tests.chaos.checker import (
    EndedToken,
    ExpectedEvent,
    Kind,
    ReceivedFrame,
    Span,
    SubscriberView,
    check_client,
    check_ended_tokens,
    shortest,
)

ALL = SubscriberView(everything=True)


def fact(n: int, stream: str | None = "1", *parties: str) -> ExpectedEvent:
    return ExpectedEvent(Position(n, 0), "stream.paused", stream, frozenset(parties), f"body {n}")


def told(of: ExpectedEvent, at: float = 0.0) -> ReceivedFrame:
    return ReceivedFrame(at, "fanout-1", of.type, of.position, of.body)


def connected(n: int = 0) -> ReceivedFrame:
    return ReceivedFrame(0.0, "fanout-1", "connected", Position(n, 0))


def gap(since: int, to: int) -> ReceivedFrame:
    return ReceivedFrame(0.0, "fanout-1", "gap", Position(to, 0), since=Position(since, 0))


def lost(since: int, to: int) -> Span:
    """All after the first, up to and including the second."""
    return Position(since, 1), Position(to, 0)


def told_as_lost(story: list[ReceivedFrame]) -> list[Span]:
    """As if all that the story tells as a gap had really been lost."""
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
STORY = [connected(), *map(told, FACTS)]


def test_all_of_it_in_order_is_right() -> None:
    assert kinds(ALL, STORY, FACTS) == []


def test_a_client_that_never_connected_has_missed_nothing() -> None:
    assert kinds(ALL, [], FACTS) == []


def test_what_came_before_its_first_position_is_not_missed() -> None:
    assert kinds(ALL, [connected(2), *map(told, FACTS[2:])], FACTS) == []


def test_one_that_never_came_is_missing_and_its_neighbours_show_it() -> None:
    (wrong,) = check_client("somebody", ALL, [STORY[0], *STORY[2:]], FACTS)
    assert (wrong.kind, wrong.where) == (Kind.MISSING, "1-0")
    assert wrong.history == (str(STORY[0]), str(STORY[2]))


def test_one_missing_at_the_end_is_missing() -> None:
    assert kinds(ALL, STORY[:-1], FACTS) == [Kind.MISSING]


def test_what_an_announced_gap_covers_is_not_missing() -> None:
    assert kinds(ALL, [STORY[0], gap(0, 2), *STORY[3:]], FACTS) == []


def test_a_gap_covers_what_follows_its_first_end_up_to_its_last_alone() -> None:
    assert kinds(ALL, [STORY[0], STORY[1], gap(2, 3), *STORY[4:]], FACTS) == [Kind.MISSING]


def test_what_was_lost_and_not_told_is_missing() -> None:
    assert kinds(ALL, [STORY[0], *STORY[2:]], FACTS, [lost(0, 1)]) == [Kind.MISSING]


def test_a_gap_excuses_nothing_that_was_not_lost() -> None:
    story = [STORY[0], gap(0, 2), *STORY[3:]]
    assert kinds(ALL, story, FACTS, [lost(0, 1)]) == [Kind.MISSING]


def test_a_gap_where_nothing_was_lost_is_a_false_one() -> None:
    story = [*STORY, gap(5, 7)]
    assert kinds(ALL, story, FACTS, [lost(3, 5)]) == [Kind.GAP]
    assert kinds(ALL, story, FACTS, [lost(3, 6)]) == []


def test_twice_is_duplicated_across_connections_too() -> None:
    story = [*STORY[:3], connected(2), STORY[2], *STORY[3:]]
    (wrong,) = check_client("somebody", ALL, story, FACTS)
    assert wrong.kind == Kind.DUPLICATE
    assert wrong.history == tuple(map(str, story[2:5]))


def test_an_older_one_after_a_newer_is_out_of_order() -> None:
    story = [STORY[0], STORY[2], STORY[1], *STORY[3:]]
    assert kinds(ALL, story, FACTS) == [Kind.DISORDER]


def test_an_event_below_what_sync_said_had_all_been_sent_is_out_of_order() -> None:
    sync = ReceivedFrame(0.0, "fanout-1", "sync", Position(3, 0))
    assert kinds(ALL, [*STORY[:3], sync, *STORY[3:]], FACTS) == [Kind.DISORDER]


def test_other_words_than_the_journals_are_altered() -> None:
    story = [*STORY[:-1], replace(STORY[-1], body="other words")]
    assert kinds(ALL, story, FACTS) == [Kind.ALTERED]


def test_what_nobody_made_comes_from_nowhere() -> None:
    assert kinds(ALL, [*STORY, told(fact(9))], FACTS) == [Kind.UNKNOWN]


def test_a_reset_is_one_however_complete_the_rest() -> None:
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
def test_what_is_not_for_this_client_is_a_leak(asked: SubscriberView) -> None:
    assert kinds(asked, [connected(), told(FACTS[0])], FACTS[:1]) == [Kind.LEAK]


def test_what_names_no_party_is_everyones() -> None:
    news = fact(1, None)
    assert kinds(
        SubscriberView(accounts=frozenset({"carol"}), holder="carol"), [connected()], [news]
    ) == [Kind.MISSING]


def test_the_shortest_is_the_one_that_is_quickest_to_read() -> None:
    found = check_client("somebody", ALL, [STORY[0], STORY[3], STORY[3], STORY[1]], FACTS)
    best = shortest(found)
    assert best
    assert len(best.history) == min(len(each.history) for each in found if each.history)
    assert shortest([]) is None


def test_positions_start_where_the_journal_does() -> None:
    assert connected().position == START


def test_nothing_that_was_published_after_a_token_s_end_is_told_on_its_connection() -> None:
    frames = ((3, "a", 99.0), (4, "a", 101.0), (5, "b", 101.0), (6, "a", 111.0))
    story = [
        replace(told(fact(n)), token=token, published=published) for n, token, published in frames
    ]
    (found,) = check_ended_tokens("x", story, [EndedToken("a", 100.0, 110.0), EndedToken("c", 0.0)])
    assert (found.kind, found.where) == (Kind.ENDED, "4-0")
    assert (
        len(
            [
                *check_ended_tokens(
                    "x", story, [EndedToken("a", 100.0, 110.0), EndedToken("a", 98.0)]
                )
            ]
        )
        == 3
    )
