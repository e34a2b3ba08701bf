"""A strict parser reads the fanout's control frames and checks the rules of docs/events.md."""

from __future__ import annotations

import pytest

from services.fanout import sse
from services.fanout.jitter import jittered
from shared.domain.instant import unix_seconds
from shared.domain.position import Position
from shared.web.problems import Goodbye
from tests.support.sse_parser import Event, Parser

HERE, THERE = Position(16010972359577600, 1), Position(16010972359577601, 1)


def read(frame: bytes) -> Event:
    parser = Parser()
    (event,) = parser.feed(frame)
    assert not parser.faults
    assert not parser.unfinished
    return event


def test_connected_has_no_event_name_and_begins_with_retry() -> None:
    frame = sse.connected("c1", ["1", "user:G"], HERE, 1873)
    assert frame.startswith(b"retry: 1873\ndata: ")
    event = read(frame)
    assert (event.name, event.own_id, event.retry) == ("message", str(HERE), 1873)
    assert event.json == {
        "type": "connected",
        "clientId": "c1",
        "subscriptions": ["1", "user:G"],
        "position": str(HERE),
    }


@pytest.mark.parametrize("lag", [None, 2.0567])
def test_sync_moves_the_cursor(lag: float | None) -> None:
    event = read(sse.sync(HERE, 7, unix_seconds("2026-07-21T18:01:10Z"), lag))
    assert (event.name, event.own_id, event.retry) == ("sync", str(HERE), None)
    assert event.json == {
        "position": str(HERE),
        "ledger": 7,
        "ledgerClosedAt": "2026-07-21T18:01:10Z",
        "lagSeconds": lag and 2.1,
    }


def test_gap_and_reset_move_the_cursor_to_the_next_events() -> None:
    gap = read(sse.gap(HERE, THERE))
    assert (gap.name, gap.own_id) == ("gap", str(THERE))
    assert (gap.json["from"], gap.json["to"]) == (str(HERE), str(THERE))
    assert gap.json["historyUrl"] == "/v1/events"
    reset = read(sse.reset(HERE, "a 'reason' with \n a line \0 break"))
    assert (reset.name, reset.own_id) == ("reset", str(HERE))
    assert reset.json["position"] == str(HERE)


@pytest.mark.parametrize("reason", list(Goodbye))
def test_goodbye_and_overload_have_retry_and_do_not_move_the_cursor(
    reason: Goodbye,
) -> None:
    for name, frame in (
        ("goodbye", sse.goodbye(reason, 1500)),
        ("overload", sse.overload(reason, 1500)),
    ):
        event = read(frame)
        assert (event.name, event.own_id, event.retry) == (name, None, 1500)
        assert event.json == {"reason": reason, "retry": 1500}


def test_overload_has_the_requested_position_as_its_id() -> None:
    assert read(sse.overload("full", 1500, HERE)).own_id == str(HERE)


def test_a_frame_that_is_cut_off_anywhere_dispatches_no_event() -> None:
    frame = sse.sync(HERE, 7, None, None)
    for end in range(len(frame)):
        parser = Parser()
        assert parser.feed(frame[:end]) == []
        assert parser.last_id == ""


def test_jitter_is_between_50_and_150_percent() -> None:
    values = {jittered(1000) for _ in range(2000)}
    assert min(values) >= 500
    assert max(values) <= 1500
    assert len(values) > 500


def test_the_head_has_each_header_on_its_own_line() -> None:
    head = sse.response_head([("Vary", "Origin"), ("Set-Cookie", "headrace_token=a.b; Path=/")])
    assert b"\r\nX-Content-Type-Options: nosniff\r\n" in head
    assert b"\r\nCache-Control: no-store, no-transform\r\n" in head
    assert head.endswith(b"\r\nVary: Origin\r\nSet-Cookie: headrace_token=a.b; Path=/\r\n\r\n")
    assert head.count(b"\r\n\r\n") == 1


@pytest.mark.parametrize("bad", ["\r", "\n", "\r\n\r\n", "\0", "\x7f", "\x1b", "é", "\udcff", "€"])
def test_the_head_refuses_other_characters_than_visible_ascii(bad: str) -> None:
    for header in (("Set-Cookie", f"a{bad}b"), ("Vary", f"Origin{bad}"), (f"X-{bad}", "a")):
        with pytest.raises(ValueError, match="visible ASCII"):
            sse.response_head([header])
