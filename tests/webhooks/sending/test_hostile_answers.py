"""Each hostile receiver alone: how its delivery ends, how soon, and what its owner is told."""

from __future__ import annotations

import pytest

from services.webhooks.metrics import Outcome
from tests.webhooks.receivers.hostile import HOSTILE, YEAR, hostile
from tests.webhooks.sending.samples import endpoint, message, sending

pytestmark = [pytest.mark.io, pytest.mark.timeout(60)]

LATE, IN_TIME = 3.0, 15.0
"""What a receiver gets here. Those that answer late would get 3,600 s of us."""

EXPECTED = {
    "trickle": (Outcome.TIMEOUT, "did not answer within 3 s"),
    "silent": (Outcome.TIMEOUT, "did not answer within 3 s"),
    "endless_body": (Outcome.TAKEN, ""),
    "trickling_body": (Outcome.TAKEN, ""),
    "huge_head": (Outcome.UNREACHABLE, "head is too long"),
    "interim_answers": (Outcome.UNREACHABLE, "head is too long"),
    "answers_nobody_asked_for": (Outcome.TAKEN, ""),
    "redirect": (Outcome.REFUSED, "307, a redirect"),
    "broken": (Outcome.REFUSED, "answered 500"),
    "reset": (Outcome.UNREACHABLE, "reset the connection"),
    "back_in_a_year": (Outcome.REFUSED, "answered 503"),
    "date_of_no_calendar": (Outcome.REFUSED, "answered 503"),
    "zone_of_no_clock": (Outcome.REFUSED, "answered 503"),
    "bomb": (Outcome.TAKEN, ""),
    "no_http": (Outcome.UNREACHABLE, "no valid HTTP answer"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_the_delivery_ends(name: str) -> None:
    outcome, words = EXPECTED[name]
    seconds = LATE if outcome is Outcome.TIMEOUT else IN_TIME
    async with hostile(HOSTILE[name]) as port, sending(webhook_seconds=seconds) as sender:
        to = endpoint(f"http://127.0.0.1:{port}/?key=hidden")
        results = [await sender.send(to, message(number)) for number in range(2)]
    for result in results:
        assert result.outcome is outcome, result
        assert words in result.attempt.error
        assert "hidden" not in result.attempt.error
        assert len(result.attempt.answer) <= 256
        assert outcome is Outcome.TIMEOUT or result.attempt.seconds < seconds
    assert results[0].retry_after == (YEAR if name == "back_in_a_year" else None)


async def test_an_answer_is_not_unpacked() -> None:
    """A small body can unpack to a huge one."""
    async with hostile(HOSTILE["bomb"]) as port, sending() as sender:
        result = await sender.send(endpoint(f"http://127.0.0.1:{port}/"), message())
    assert result.attempt.answer.startswith("\ufffd\ufffd\ufffd"), "gzip begins with 1f 8b 08"
