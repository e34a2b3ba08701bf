"""The anchor of a stream, and both kinds of end: cases that were tried with the real contract."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain import commands
from shared.domain.commands import CommandRefusedError
from shared.domain.stream import U64_MAX, announced_end, claimable, end_time
from tests.shared.samples import R2, TYPE, R, S, a_stream, after, fact


def test_an_end_after_the_last_possible_time_is_refused() -> None:
    most = U64_MAX - 100  # at rate 1 from second 100, the stream ends at the last possible time
    stream = a_stream(ratePerSecond="1", depositedAmount=str(most))
    assert commands.resume(after(stream, *commands.pause(stream, 110)), 110)
    with pytest.raises(CommandRefusedError, match="last possible time 18446744073709551615"):
        commands.resume(after(stream, *commands.pause(stream, 110)), 111)
    with pytest.raises(CommandRefusedError, match="after the last possible time"):
        commands.top_up(stream, 1, 110)
    terms: dict[str, Any] = {"stream_id": "7", "sender": S, "recipient": R, "token": "C", "now": 0}
    assert commands.create(rate=1, deposited=most, start_time=500, **terms), "it announces no end"


def test_the_announced_end_leaves_out_the_last_fraction_of_a_second() -> None:
    """Stream: 1000 at 3 a second from 100. All has accrued at 434, the contract announces 433."""
    stream = a_stream(ratePerSecond="3")
    assert end_time(stream) == 434
    assert announced_end(stream, 100) == announced_end(stream, 250) == 433
    assert announced_end(stream, 500) == 500, "never in the past"
    paused = after(stream, *commands.pause(stream, 200))
    (topped,) = commands.top_up(paused, 6, 300)
    assert topped.facts["newEndTime"] == 300 + (1006 - 300) // 3, "300 accrued before the pause"
    (resumed,) = commands.resume(paused, 300)
    assert resumed.facts["newEndTime"] == 533
    later = a_stream(ratePerSecond="3", startTime=1000)
    assert announced_end(later, 100) == 1333, "counted from the start"


def test_a_transfer_pays_the_old_recipient_and_sets_the_new_one() -> None:
    stream = a_stream()
    moved = after(
        stream,
        fact(TYPE.STREAM_RECIPIENT_TRANSFERRED, 150, newRecipient=R2, settledAmount="250"),
    )
    assert (moved.recipient, moved.withdrawn, claimable(moved, 160)) == (R2, 250, 50)


def test_a_transfer_moves_the_anchor_even_if_nothing_is_settled() -> None:
    """Both cases were tried with the real contract."""
    move = {"newRecipient": R2, "settledAmount": "0"}
    paused = a_stream(1000, ratePerSecond="1", startTime=1000)
    paused = after(paused, *commands.pause(paused, 1000))
    paused = after(paused, fact(TYPE.STREAM_RECIPIENT_TRANSFERRED, 1100, **move))
    resumed = after(paused, *commands.resume(paused, 1200))
    assert claimable(resumed, 1400) == 100
    drained = a_stream(1000, ratePerSecond="1", depositedAmount="100", startTime=1000)
    drained = after(
        drained,
        fact(TYPE.STREAM_RECIPIENT_TRANSFERRED, 1200, newRecipient=R2, settledAmount="100"),
        fact(TYPE.STREAM_RECIPIENT_TRANSFERRED, 1300, **move),
        fact(TYPE.STREAM_TOPPED_UP, 1300, amount="100", newDepositedAmount="200"),
    )
    assert claimable(drained, 1350) == 50


def test_a_new_rate_counts_from_its_change_and_drops_what_had_accrued() -> None:
    """1000 over 300 s is a rate of 3. With rate 7 from second 1010 on, 70 have accrued at 1020."""
    stream = a_stream(1000, ratePerSecond="3", startTime=1000)
    faster = after(
        stream, fact(TYPE.STREAM_RATE_MODIFIED, 1010, newRatePerSecond="7", newEndTime=1152)
    )
    assert (faster.rate, faster.last_update_time) == (7, 1010)
    assert (claimable(faster, 1010), claimable(faster, 1020)) == (0, 70)
    assert end_time(faster) == 1153, "the contract announces a second less: see `announced_end`"
    stopped = after(stream, fact(TYPE.STREAM_RATE_MODIFIED, 1010, newRatePerSecond="0"))
    assert (end_time(stopped), claimable(stopped, 9999)) == (None, 0)
