"""Acceptance: which streams wait for their recipient, and what changes the answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.domain import commands
from shared.domain.commands import CommandRefusedError
from shared.domain.events import EventType, Origin
from shared.domain.stream import Acceptance, Stream
from shared.domain.transitions import apply
from tests.shared.samples import (
    R2,
    TOKEN,
    R,
    S,
    a_stream,
    after,
    at,
    chain,
    created,
    fact,
    stored,
)

PENDING, ACCEPTED, HIDDEN = Acceptance.PENDING, Acceptance.ACCEPTED, Acceptance.HIDDEN


def offered(recipient: str = R) -> Stream:
    (event,) = commands.create(
        stream_id="api-1", sender=S, recipient=recipient, token=TOKEN, rate=5, deposited=1000,
        start_time=100, now=100, ask=True,
    )  # fmt: skip
    return stored(apply(None, event))


def test_a_stream_for_somebody_else_waits_for_the_answer() -> None:
    assert offered().acceptance is PENDING
    assert offered(S).acceptance is ACCEPTED


def test_a_stream_of_the_chain_is_accepted_whatever_its_event_says() -> None:
    told = created("7", at(7), acceptance="pending")
    assert stored(apply(None, told)).acceptance is ACCEPTED


def test_a_stream_whose_event_says_nothing_is_accepted() -> None:
    assert a_stream().acceptance is ACCEPTED, "earlier versions did not ask"


@pytest.mark.parametrize("before", list(Acceptance))
@pytest.mark.parametrize("ended", [False, True])
def test_each_answer_is_one_event_and_the_same_answer_none(before: Acceptance, ended: bool) -> None:
    stream = replace(offered(), acceptance=before)
    if ended:
        stream = after(stream, *commands.cancel(stream, 110))
    for command, acceptance in ((commands.accept, ACCEPTED), (commands.hide, HIDDEN)):
        events = command(stream, 120)
        assert len(events) == (before is not acceptance)
        assert after(stream, *events).acceptance is acceptance
        assert command(after(stream, *events), 130) == []


def test_a_stream_to_oneself_cannot_be_hidden() -> None:
    with pytest.raises(CommandRefusedError, match="its own sender"):
        commands.hide(offered(S), 100)


@pytest.mark.parametrize("before", [PENDING, HIDDEN])
def test_a_withdrawal_accepts_a_stream_of_the_api_only(before: Acceptance) -> None:
    stream = replace(offered(), acceptance=before)
    assert after(stream, *commands.withdraw(stream, 110)).acceptance is ACCEPTED
    held = replace(stream, origin=Origin.CHAIN)
    paid = chain(EventType.STREAM_WITHDRAWN, "7", at(8), amount="5", timestamp=101)
    assert after(held, paid).acceptance is before


def test_the_answer_of_the_old_recipient_is_not_that_of_the_new_one() -> None:
    hidden = replace(stored(apply(None, created("7", at(7)))), acceptance=HIDDEN)
    given = chain(EventType.STREAM_RECIPIENT_TRANSFERRED, "7", at(8), newRecipient=R2)
    assert after(hidden, given).acceptance is ACCEPTED


def test_other_changes_keep_the_answer() -> None:
    stream = replace(offered(), acceptance=HIDDEN)
    for events in (
        commands.pause(stream, 110),
        commands.top_up(stream, 5, 110),
        commands.update(stream, {"label": "x"}, 110),
        [fact(EventType.STREAM_RUNNING_LOW, endsAt=300)],
    ):
        assert after(stream, *events).acceptance is HIDDEN
