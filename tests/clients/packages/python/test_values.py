"""The values of the package, compared with those of the server, and its small pure functions."""

from __future__ import annotations

from typing import Any

import pytest
from headrace_client import Event, EventType, GapError, ProtocolError, Stream, Token, is_after
from headrace_client.backoff import wait_seconds
from headrace_client.cli.lines import line
from headrace_client.errors import problem
from headrace_client.positions import position_key
from headrace_client.subscribe.frames import Ending, Sync, frame_of
from headrace_client.subscribe.sse import Message
from headrace_client.subscribe.subscription import subscription_of
from headrace_client.version import __version__
from hypothesis import given
from hypothesis import strategies as st

import shared
from services.api.models.responses import StreamDocument
from shared.domain.events import LOSS_TYPES
from shared.domain.events import EventType as JournalType
from shared.domain.position import Position, parse_position

NUMBERS = st.integers(0, 2**64 - 1)
EVENT: dict[str, Any] = {
    "id": "16010972359577600-1",
    "publishedAt": 1763900000123456,
    "type": "stream.withdrawn",
    "streamId": "7",
    "sender": "G" + "A" * 55,
    "recipient": "G" + "B" * 55,
    "tokenAddress": "C" + "A" * 55,
    "amount": "125000000",
    "timestamp": 1770000100,
    "origin": "chain",
    "ledger": 3727845,
    "verified": True,
}


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(map(str.capitalize, rest))


def test_it_knows_the_types_and_the_fields_of_the_server() -> None:
    assert {each.value for each in EventType} == {
        each.value for each in JournalType if each not in LOSS_TYPES
    }
    assert {camel(name) for name in Stream.__dataclass_fields__} - {"document"} == {
        field.alias for field in StreamDocument.model_fields.values()
    }
    assert __version__ == shared.__version__


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_positions_are_ordered_as_in_the_journal(a: int, b: int, c: int, d: int) -> None:
    one, two = Position(a, b), Position(c, d)
    assert is_after(str(one), str(two)) == (one > two)
    assert position_key(str(one)) == parse_position(str(one))


@pytest.mark.parametrize("text", ["", "5", "5-", "-5", "a-1", "1-b", "½-0", "+1-0", "1-0-0"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected <toid>-<n>, such as"):
        position_key(text)


@given(st.integers(-3, 10_000), st.floats(0, 60), st.floats(0, 1))
def test_waits_grow_to_half_a_minute_and_obey_the_server(
    failures: int, at_least: float, chance: float
) -> None:
    seconds = wait_seconds(failures, at_least, chance)
    assert at_least <= seconds <= max(at_least, 30)
    if failures > 0:
        assert seconds >= min(30, 0.5 * 2 ** min(failures - 1, 20)) / 2
        assert wait_seconds(failures + 1, at_least, chance) >= seconds
    else:
        assert seconds == at_least


@pytest.mark.parametrize(
    ("amount", "decimals", "shown"),
    [
        (0, 7, "0.00"),
        (1, 7, "0.0000001"),
        (125_000_000, 7, "12.50"),
        (-125_000_000, 7, "-12.50"),
        (2**127, 7, "17014118346046923173168730371588.4105728"),
        (5, 0, "5"),
        (5, 1, "0.5"),
        (10, 1, "1.0"),
    ],
)
def test_amounts_are_shown_exactly(amount: int, decimals: int, shown: str) -> None:
    assert Token("C…", decimals=decimals).show(amount) == shown
    assert Token("C…").show(amount) == f"{amount} base units"
    assert Token("C…", "USDC", decimals=decimals).show(amount) == f"{shown} “USDC”"
    proved = Token("C…", "USDC", decimals=decimals, asset="USDC:G…")
    assert proved.show(amount) == f"{shown} USDC"


def test_a_line_shows_an_event_and_controls_no_terminal() -> None:
    event = Event.from_json(EVENT)
    assert line(event, Token("C", "USDC", decimals=7, asset="USDC:G")) == (
        "2026-02-02 02:41:40Z  stream.withdrawn        #7      12.50 USDC  "
        "GAAA…AAAA → GBBB…BBBB  ledger 3727845"
    )
    evil = line(event, Token("C", "\x1b[31m\n\u202e", decimals=7))
    assert evil.isprintable()
    assert "125000000 base units" in line(event, None)
    assert "PROOF FAILED" in line(Event.from_json(EVENT | {"verified": False}), None)


def test_frames_of_the_wire() -> None:
    sync = '{"position":null,"ledger":5,"ledgerClosedAt":null,"lagSeconds":2.1}'
    assert frame_of(Message("sync", sync, "")) == Sync(None, 5, 2.1)
    goodbye = Message("goodbye", '{"reason":"max_age","retry":1500}', "5-1")
    assert frame_of(goodbye) == Ending("goodbye", "max_age", 1.5)
    gap = frame_of(Message("gap", '{"from":"1-0","to":"5-1"}', "5-1"))
    assert isinstance(gap, GapError)
    assert (gap.after, gap.to, gap.position) == ("1-0", "5-1", "5-1")
    assert frame_of(Message("of_tomorrow", "{}", "5-1")) is None
    for event, data in (
        ("sync", "{}"),
        ("sync", "[]"),
        ("message", "not JSON"),
        ("gap", '{"from":"1-0","to":"5-1"}'),
        ("stream.created", '{"id":"5"}'),
        ("stream.created", '{"id":"5-1"}'),
        ("goodbye", '{"reason":"x","retry":"soon"}'),
    ):
        with pytest.raises(ProtocolError):
            frame_of(Message(event, data, ""))


def test_a_problem_says_what_would_be_right() -> None:
    document = {
        "type": "/problems/invalid",
        "detail": "one field is wrong",
        "errors": [{"pointer": "/sender", "detail": "expected a G… address"}],
    }
    assert str(problem(422, document)) == (
        "422 invalid: one field is wrong. /sender: expected a G… address. "
        "Correct the fields that `errors` names."
    )
    assert str(problem(502, {})) == "502 http: the server gave no reason."


def test_a_subscription_without_anything_or_with_a_text_is_refused() -> None:
    with pytest.raises(
        ValueError, match="without a token, name at least one of streams, users and"
    ):
        subscription_of(types=["stream.created"])
    assert subscription_of(types=["stream.created"], with_token=True).is_own
    with pytest.raises(TypeError, match=r"users: expected a list, such as \['G1'\], not a text"):
        subscription_of(users="G1")
    assert subscription_of([7, "7"], ["G"], all=True, types=[EventType.STREAM_PAUSED]).query() == [
        ("streams", "7"),
        ("users", "G"),
        ("types", "stream.paused"),
        ("all", "true"),
    ]
