"""What a failover excuses, told to the checker in stories; and all that it does not excuse."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from shared.domain.position import Position
from tests.chaos.checker import ExpectedEvent, Kind, ReceivedFrame, SubscriberView, check_client
from tests.chaos.losses import Loss, split_at_resets

BEGAN = 1_000_000.0
"""Unix time of the stories' second 0."""
LOSS = Loss(BEGAN + 10, BEGAN + 20)
ALL = SubscriberView(everything=True)
BOB = SubscriberView(accounts=frozenset({"bob"}), holder="bob")


def fact(n: int, at: float, origin: str = "chain", place: int = 0, **more: object) -> ExpectedEvent:
    """One of ledger `n`, published at second `at`."""
    body = {"publishedAt": round((BEGAN + at) * 1e6), "origin": origin, "streamId": "1", **more}
    parties = frozenset({"alice", "bob"})
    return ExpectedEvent(
        Position(n, place), "stream.paused", "1", parties, orjson.dumps(body).decode()
    )


def written(n: int, at: float, **more: object) -> ExpectedEvent:
    """One of the API's behind ledger `n`."""
    return fact(n, at, "api", round(at), **({"sender": "alice", "recipient": "bob"} | more))


def told(of: ExpectedEvent, at: float) -> ReceivedFrame:
    return ReceivedFrame(at, "fanout-1", of.type, of.position, of.body)


def control(name: str, n: int, at: float) -> ReceivedFrame:
    return ReceivedFrame(at, "fanout-1", name, Position(n, 0))


def kinds(
    story: list[ReceivedFrame], due: list[ExpectedEvent], asked: SubscriberView = ALL, *losses: Loss
) -> list[Kind]:
    found = split_at_resets(story, due, losses or (LOSS,), BEGAN)
    return [v.kind for life in found for v in check_client("somebody", asked, life.told, life.due)]


ONE, TWO, THREE = fact(1, 5), fact(2, 12), fact(3, 25)
GONE = written(2, 13)
AGAIN = written(2, 22)
BACK = replace(TWO, body=fact(2, 21).body)
"""Event two as the journal has it after the failover."""
START = [control("connected", 0, 0), told(ONE, 5)]
DUE = [ONE, BACK, AGAIN, THREE]
STORY = [*START, told(TWO, 12), told(GONE, 13), told(AGAIN, 22), told(THREE, 25)]


def test_a_write_that_was_told_and_lost_is_excused_and_what_was_brought_back_may_differ() -> None:
    assert kinds(STORY, DUE) == []


def test_without_a_failover_nothing_is_excused() -> None:
    early = Loss(BEGAN - 20, BEGAN - 10)
    assert kinds(STORY, DUE, ALL, early) == [Kind.ALTERED, Kind.UNKNOWN]
    (life,) = split_at_resets(STORY, DUE, (), BEGAN)
    assert (life.told, life.due) == (STORY, DUE)


def test_an_event_of_the_chain_is_never_excused_from_being_in_the_journal() -> None:
    assert kinds(STORY, [ONE, AGAIN, THREE]) == [Kind.UNKNOWN]


def test_what_was_brought_back_says_the_same() -> None:
    other = replace(BACK, body=fact(2, 21, amount="7").body)
    assert kinds(STORY, [ONE, other, AGAIN, THREE]) == [Kind.ALTERED]


def test_a_lost_write_was_for_those_it_concerned_alone() -> None:
    whose = written(2, 13, sender="alice", recipient="carol")
    assert kinds([*START, told(whose, 13)], [ONE], BOB) == [Kind.LEAK]


def test_what_came_after_the_failover_is_due_as_ever() -> None:
    assert kinds(STORY[:-1], DUE) == [Kind.MISSING]
    assert kinds([*STORY[:4], *STORY[5:]], DUE) == [Kind.MISSING]


def test_live_it_comes_once_and_in_order() -> None:
    assert kinds([*STORY[:4], told(BACK, 21), *STORY[4:]], DUE) == [Kind.DUPLICATE]
    low = written(1, 22)
    assert kinds([*STORY[:4], told(low, 22)], [ONE, low, BACK]) == [Kind.DISORDER]


def test_a_place_below_what_a_client_has_had_is_missing_for_it() -> None:
    """So the API must not give one out, whoever lost what."""
    low = written(1, 22)
    assert kinds(STORY, [ONE, low, *DUE[1:]]) == [Kind.MISSING]


RESET = control("reset", 1, 21)


def test_after_a_reset_all_that_follows_its_position_comes_again() -> None:
    again = [control("connected", 2, 21), RESET, told(BACK, 21), told(AGAIN, 22), told(THREE, 25)]
    assert kinds([*STORY[:4], *again], DUE) == []
    assert kinds([*STORY[:4], *again[:2], *again[3:]], DUE) == [Kind.MISSING]
    assert kinds([*STORY[:4], *again, told(THREE, 26)], DUE) == [Kind.DUPLICATE]


def test_who_is_connected_and_was_told_a_write_that_is_gone_gets_a_reset_and_goes_on() -> None:
    reset = replace(RESET, position=AGAIN.position)
    assert kinds([*STORY[:5], reset, STORY[5]], DUE) == []
    assert kinds([*STORY[:5], reset], DUE) == [Kind.MISSING]
    assert kinds([*STORY[:4], reset, STORY[5]], DUE) == [Kind.MISSING]
    whole = [*STORY[:3], STORY[4], reset, STORY[5]]
    assert Kind.RESET in kinds(whole, DUE), "nothing that it was told is gone"


def test_a_cursor_at_a_place_that_is_gone_is_one_for_a_reset() -> None:
    sync = control("sync", 2, 14)
    sync = replace(sync, position=GONE.position)
    story = [*STORY[:3], sync, replace(RESET, position=AGAIN.position), STORY[5]]
    assert kinds(story, [ONE, BACK, THREE]) == []


def test_what_stands_before_a_resets_position_was_due_before_it() -> None:
    story = [START[0], told(TWO, 12), RESET, told(BACK, 21), told(AGAIN, 22), told(THREE, 25)]
    assert kinds(story, DUE) == [Kind.MISSING]


@pytest.mark.parametrize(
    "story",
    [
        [*START, RESET],
        [*START, control("sync", 2, 7), RESET],
        [*START, told(TWO, 12), control("reset", 3, 21)],
    ],
    ids=["at its cursor", "given out before the loss", "above its cursor"],
)
def test_any_other_reset_is_none_that_a_failover_explains(story: list[ReceivedFrame]) -> None:
    assert Kind.RESET in kinds(story, [ONE, BACK])
