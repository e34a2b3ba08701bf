"""Stories for the checker: violations that a failover excuses, and those that it does not."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from shared.domain.position import Position
from tests.chaos.checker import ExpectedEvent, Kind, ReceivedFrame, SubscriberView, check_client
from tests.chaos.losses import Loss, split_at_resets

BEGAN = 1_000_000.0
"""The Unix time of second 0 of the stories."""
LOSS = Loss(BEGAN + 10, BEGAN + 20)
ALL = SubscriberView(everything=True)
BOB = SubscriberView(accounts=frozenset({"bob"}), holder="bob")


def fact(n: int, at: float, origin: str = "chain", index: int = 0, **more: object) -> ExpectedEvent:
    """An event of ledger `n`, published at second `at`."""
    body = {"publishedAt": round((BEGAN + at) * 1e6), "origin": origin, "streamId": "1", **more}
    parties = frozenset({"alice", "bob"})
    return ExpectedEvent(
        Position(n, index), "stream.paused", "1", parties, orjson.dumps(body).decode()
    )


def written(n: int, at: float, **more: object) -> ExpectedEvent:
    """An event of the API after ledger `n`."""
    return fact(n, at, "api", round(at), **({"sender": "alice", "recipient": "bob"} | more))


def received(of: ExpectedEvent, at: float) -> ReceivedFrame:
    return ReceivedFrame(at, "fanout-1", of.type, of.position, of.body)


def control(name: str, n: int, at: float) -> ReceivedFrame:
    return ReceivedFrame(at, "fanout-1", name, Position(n, 0))


def kinds(
    story: list[ReceivedFrame], due: list[ExpectedEvent], asked: SubscriberView = ALL, *losses: Loss
) -> list[Kind]:
    found = split_at_resets(story, due, losses or (LOSS,), BEGAN)
    return [
        v.kind
        for period in found
        for v in check_client("somebody", asked, period.frames, period.expected)
    ]


ONE, TWO, THREE = fact(1, 5), fact(2, 12), fact(3, 25)
GONE = written(2, 13)
AGAIN = written(2, 22)
BACK = replace(TWO, body=fact(2, 21).body)
"""Event two, as it is in the journal after the failover."""
START = [control("connected", 0, 0), received(ONE, 5)]
DUE = [ONE, BACK, AGAIN, THREE]
STORY = [*START, received(TWO, 12), received(GONE, 13), received(AGAIN, 22), received(THREE, 25)]


def test_a_lost_write_is_excused_and_a_restored_event_may_differ() -> None:
    assert kinds(STORY, DUE) == []


def test_without_a_failover_a_lost_write_is_a_violation() -> None:
    early = Loss(BEGAN - 20, BEGAN - 10)
    assert kinds(STORY, DUE, ALL, early) == [Kind.ALTERED, Kind.UNKNOWN]
    (period,) = split_at_resets(STORY, DUE, (), BEGAN)
    assert (period.frames, period.expected) == (STORY, DUE)


def test_a_chain_event_missing_after_a_failover_is_a_violation() -> None:
    assert kinds(STORY, [ONE, AGAIN, THREE]) == [Kind.UNKNOWN]


def test_a_restored_event_may_differ_only_in_commit_fields() -> None:
    other = replace(BACK, body=fact(2, 21, amount="7").body)
    assert kinds(STORY, [ONE, other, AGAIN, THREE]) == [Kind.ALTERED]


def test_a_lost_write_sent_to_others_is_a_leak() -> None:
    of_others = written(2, 13, sender="alice", recipient="carol")
    assert kinds([*START, received(of_others, 13)], [ONE], BOB) == [Kind.LEAK]


def test_events_after_the_failover_are_due() -> None:
    assert kinds(STORY[:-1], DUE) == [Kind.MISSING]
    assert kinds([*STORY[:4], *STORY[5:]], DUE) == [Kind.MISSING]


def test_a_failover_does_not_excuse_duplicates_or_disorder() -> None:
    assert kinds([*STORY[:4], received(BACK, 21), *STORY[4:]], DUE) == [Kind.DUPLICATE]
    low = written(1, 22)
    assert kinds([*STORY[:4], received(low, 22)], [ONE, low, BACK]) == [Kind.DISORDER]


def test_an_event_below_a_clients_cursor_is_missing() -> None:
    """So the API must not assign such a position, also after a loss."""
    low = written(1, 22)
    assert kinds(STORY, [ONE, low, *DUE[1:]]) == [Kind.MISSING]


RESET = control("reset", 1, 21)


def test_after_a_reset_all_events_above_its_position_are_due() -> None:
    again = [
        control("connected", 2, 21),
        RESET,
        received(BACK, 21),
        received(AGAIN, 22),
        received(THREE, 25),
    ]
    assert kinds([*STORY[:4], *again], DUE) == []
    assert kinds([*STORY[:4], *again[:2], *again[3:]], DUE) == [Kind.MISSING]
    assert kinds([*STORY[:4], *again, received(THREE, 26)], DUE) == [Kind.DUPLICATE]


def test_a_live_client_with_a_lost_write_gets_reset_and_continues() -> None:
    reset = replace(RESET, position=AGAIN.position)
    assert kinds([*STORY[:5], reset, STORY[5]], DUE) == []
    assert kinds([*STORY[:5], reset], DUE) == [Kind.MISSING]
    assert kinds([*STORY[:4], reset, STORY[5]], DUE) == [Kind.MISSING]
    story = [*STORY[:3], STORY[4], reset, STORY[5]]
    assert Kind.RESET in kinds(story, DUE), "no event that it received is gone"


def test_a_cursor_at_a_lost_position_explains_a_reset() -> None:
    sync = control("sync", 2, 14)
    sync = replace(sync, position=GONE.position)
    story = [*STORY[:3], sync, replace(RESET, position=AGAIN.position), STORY[5]]
    assert kinds(story, [ONE, BACK, THREE]) == []


def test_events_below_the_position_of_a_reset_are_due_before_it() -> None:
    story = [
        START[0],
        received(TWO, 12),
        RESET,
        received(BACK, 21),
        received(AGAIN, 22),
        received(THREE, 25),
    ]
    assert kinds(story, DUE) == [Kind.MISSING]


@pytest.mark.parametrize(
    "story",
    [
        [*START, RESET],
        [*START, control("sync", 2, 7), RESET],
        [*START, received(TWO, 12), control("reset", 3, 21)],
    ],
    ids=["at its cursor", "given out before the loss", "above its cursor"],
)
def test_a_reset_without_a_lost_cursor_or_event_is_a_violation(story: list[ReceivedFrame]) -> None:
    assert Kind.RESET in kinds(story, [ONE, BACK])
