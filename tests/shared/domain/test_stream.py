"""The rules of a stream: the cases that the description of the contract names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from shared.domain import commands
from shared.domain.commands import CommandRefusedError
from shared.domain.events import Event, EventType
from shared.domain.stream import (
    I128_MAX,
    U64_MAX,
    StreamStatus,
    claimable,
    end_time,
    remaining,
)
from shared.domain.transitions import apply
from shared.journal.stream_document import encode_stream
from tests.shared.samples import R2, TYPE, R, S, a_stream, after, creation, fact


def test_a_top_up_of_a_depleted_stream_also_pays_for_the_time_before() -> None:
    drained = a_stream()
    assert claimable(drained, 10_000) == 1000
    topped = after(drained, *commands.top_up(drained, 500, 10_000))
    assert (topped.status, topped.last_update_time) == (StreamStatus.ACTIVE, 100)
    assert claimable(topped, 10_000) == 1500


def test_the_last_withdrawal_is_followed_by_completed() -> None:
    stream = a_stream()
    first = commands.withdraw(stream, 150)
    assert [e.type for e in first] == [TYPE.STREAM_WITHDRAWN]
    assert first[0].facts == {"recipient": R, "amount": "250", "timestamp": 150}
    stream = after(stream, *first)
    last = commands.withdraw(stream, 300)
    assert [e.type for e in last] == [TYPE.STREAM_WITHDRAWN, TYPE.STREAM_COMPLETED]
    assert last[1].facts == {"recipient": R, "totalWithdrawn": "1000"}
    done = after(stream, *last)
    assert (done.status, done.withdrawn, claimable(done, 9999)) == (StreamStatus.COMPLETED, 1000, 0)
    assert end_time(done) == 300


def test_a_withdrawal_is_refused_while_paused_or_when_nothing_has_accrued() -> None:
    stream = a_stream()
    with pytest.raises(CommandRefusedError, match="nothing to withdraw"):
        commands.withdraw(stream, 100)
    with pytest.raises(CommandRefusedError, match="paused"):
        commands.withdraw(after(stream, *commands.pause(stream, 150)), 200)


def test_cancelling_a_paused_stream_pays_what_accrued_before_the_pause() -> None:
    stream = a_stream()
    paused = after(stream, *commands.pause(stream, 120))
    (event,) = commands.cancel(paused, 180)
    assert (event.facts["amountWithdrawn"], event.facts["refundedAmount"]) == ("100", "900")
    gone = after(paused, event)
    assert (gone.status, gone.withdrawn, gone.refunded, remaining(gone)) == (
        StreamStatus.CANCELLED,
        100,
        900,
        0,
    )


def test_a_stream_is_cancelled_even_when_nothing_is_refunded() -> None:
    stream = a_stream()
    (event,) = commands.cancel(stream, 10_000)
    gone = after(stream, event)
    assert (gone.status, gone.refunded, gone.withdrawn) == (StreamStatus.CANCELLED, 0, 1000)


def test_a_resume_after_a_cancellation_changes_only_the_version() -> None:
    stream = a_stream()
    paused = after(stream, *commands.pause(stream, 120))
    gone = after(paused, *commands.cancel(paused, 180))
    zombie = after(gone, fact(TYPE.STREAM_RESUMED, 200, sender=S, newEndTime=400))
    assert (zombie.status, zombie.paused_at, claimable(zombie, 10**9)) == (
        StreamStatus.CANCELLED,
        None,
        0,
    )
    assert zombie.version == gone.version + 1
    money = replace(zombie, version=0, updated_at=0, paused_at=None, position="")
    assert money == replace(gone, version=0, updated_at=0, paused_at=None, position="")


@pytest.mark.parametrize(
    "late",
    [
        fact(TYPE.STREAM_TOPPED_UP, 500, amount="9", newDepositedAmount="1009"),
        fact(TYPE.STREAM_WITHDRAWN, 500, amount="9", timestamp=500),
        fact(TYPE.STREAM_PAUSED, 500, pausedAt=500),
        fact(TYPE.STREAM_COMPLETED, 500),
        fact(TYPE.STREAM_RATE_MODIFIED, 500, newRatePerSecond="9"),
        fact(TYPE.STREAM_RECIPIENT_TRANSFERRED, 500, newRecipient=R2),
    ],
)
def test_no_event_changes_the_amounts_of_a_cancelled_stream(late: Event) -> None:
    stream = a_stream()
    gone = after(stream, *commands.cancel(stream, 120))
    assert after(gone, late) == replace(gone, version=3, updated_at=500)


@pytest.mark.parametrize("command", ["withdraw", "pause", "resume", "cancel"])
def test_a_terminal_stream_refuses_every_command(command: str) -> None:
    stream = a_stream()
    gone = after(stream, *commands.cancel(stream, 120))
    with pytest.raises(CommandRefusedError, match="cancelled and cannot be"):
        getattr(commands, command)(gone, 200)
    with pytest.raises(CommandRefusedError, match="cancelled and cannot be"):
        commands.top_up(gone, 1, 200)


def test_the_largest_i128_amounts_do_not_overflow() -> None:
    stream = a_stream(ratePerSecond=str(I128_MAX), depositedAmount=str(I128_MAX))
    assert claimable(stream, U64_MAX) == I128_MAX
    assert end_time(stream) == 101
    slow = a_stream(ratePerSecond="1", depositedAmount=str(I128_MAX))
    assert end_time(slow) == U64_MAX
    document = orjson.loads(encode_stream(slow, 200))
    assert document["depositedAmount"] == str(I128_MAX)
    assert document["claimable"] == {"amount": "100", "asOf": 200}
    with pytest.raises(CommandRefusedError, match="from 1 to 0"):
        commands.top_up(slow, 1, 200)


@pytest.mark.parametrize("amount", [0, -1, I128_MAX + 1])
def test_an_amount_outside_i128_is_refused_with_the_name_of_the_field(amount: int) -> None:
    good: dict[str, Any] = {
        "stream_id": "7",
        "sender": S,
        "recipient": R,
        "token": "C",
        "start_time": 0,
        "now": 0,
    }
    with pytest.raises(CommandRefusedError, match="ratePerSecond"):
        commands.create(rate=amount, deposited=1, **good)
    with pytest.raises(CommandRefusedError, match="depositedAmount"):
        commands.create(rate=1, deposited=amount, **good)
    with pytest.raises(CommandRefusedError, match="amount"):
        commands.top_up(a_stream(), amount, 100)


def test_sender_and_recipient_may_be_the_same_account() -> None:
    stream = a_stream(recipient=S)
    assert after(stream, *commands.withdraw(stream, 150)).withdrawn == 250


def test_a_stream_that_paid_more_than_its_known_deposit_has_nothing_claimable() -> None:
    """If a top-up could not be decoded, the known deposit is too low."""
    paid = after(a_stream(), fact(TYPE.STREAM_WITHDRAWN, 300, amount="5000", timestamp=300))
    assert (claimable(paid, 400), end_time(paid)) == (0, 300)


def test_a_top_up_uses_the_new_total_of_the_event_and_needs_no_end() -> None:
    stream = after(a_stream(), fact(TYPE.STREAM_TOPPED_UP, amount="5", newDepositedAmount="1500"))
    assert (stream.deposited, stream.last_update_time) == (1500, 100)


def test_a_fee_event_changes_only_the_version() -> None:
    stream = a_stream()
    assert after(stream, fact(TYPE.STREAM_FEE_COLLECTED, 105, feeAmount="3")) == replace(
        stream, version=2, updated_at=105
    )


NEEDED: dict[EventType, dict[str, Any]] = {
    TYPE.STREAM_TOPPED_UP: {"newDepositedAmount": "1100"},
    TYPE.STREAM_WITHDRAWN: {"amount": "1", "timestamp": 110},
    TYPE.STREAM_PAUSED: {"pausedAt": 110},
    TYPE.STREAM_CANCELLED: {"amountWithdrawn": "50", "refundedAmount": "950"},
    TYPE.STREAM_RECIPIENT_TRANSFERRED: {"newRecipient": R2},
    TYPE.STREAM_RATE_MODIFIED: {"newRatePerSecond": "2"},
    TYPE.STREAM_CREATED: creation(),
}


@pytest.mark.parametrize(
    ("kind", "missing"), [(kind, name) for kind, facts in NEEDED.items() for name in facts]
)
def test_the_error_names_the_fact_that_an_event_lacks(kind: EventType, missing: str) -> None:
    whole = NEEDED[kind]
    assert apply(a_stream(), fact(kind, **whole)) is not None
    lacking = {name: value for name, value in whole.items() if name != missing}
    with pytest.raises(ValueError, match=f"stream 7 has no '{missing}'"):
        apply(a_stream(), fact(kind, **lacking))


def test_an_event_of_an_unknown_stream_gives_no_state() -> None:
    for kind in TYPE:
        if kind not in (TYPE.STREAM_CREATED, TYPE.STREAM_SNAPSHOT):
            assert apply(None, fact(kind)) is None
