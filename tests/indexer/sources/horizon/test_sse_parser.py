"""Horizon's frames: the same for any chunks, and never half a frame."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.indexer.sources.horizon import sse_parser as frames
from services.indexer.sources.horizon.sse_parser import (
    FrameTooLongError,
    HorizonFrame,
    HorizonFrameParser,
)
from tests.support.tier import examples

HELLO = b'retry: 1000\nevent: open\ndata: "hello"\n\n'
BYEBYE = b'retry: 10\nevent: close\ndata: "byebye"\n\n'
PARTS = st.sampled_from(
    [
        HELLO,
        BYEBYE,
        b"id: 5\ndata: {}\n\n",
        'id: 6\ndata: {"memo":"naïve 💧"}\n\n'.encode(),
        b"data: one\ndata: two\ndata\n\n",
        b"data:no blank\ndata:  two blanks\n\n",
        b"event: error\ndata: problem: x. full details: y\n\n",
        b"id: 7\r\ndata: crlf\r\n\r\n",
        b": a comment\n\n",
        b"id: 8\n\n",
        b"\n",
        b"data: \xff not UTF-8\nid: \xff\n\n",
        b"\xff\xfe: \xfd\ndata: {}\n\n",
        b"nonsense\ndata: z\nretry: x\n\n",
    ]
)
WIRES = st.lists(PARTS, max_size=8).map(b"".join)


def parsed(*pieces: bytes) -> list[HorizonFrame]:
    parser = HorizonFrameParser()
    return [frame for piece in pieces for frame in parser.feed(piece)]


def cut(wire: bytes, at: list[int]) -> list[bytes]:
    places = sorted({0, len(wire), *(each % (len(wire) + 1) for each in at)})
    return [wire[a:b] for a, b in pairwise(places)]


def test_frames_of_horizon_are_parsed() -> None:
    record = b'id: 16010972359577600\ndata: {"id":"3634"}\n\n'
    error = b"event: error\ndata: problem: rate_limit_exceeded. full details: no\n\n"
    assert parsed(HELLO + record + error + BYEBYE) == [
        HorizonFrame("open", None, [b'"hello"']),
        HorizonFrame("message", "16010972359577600", [b'{"id":"3634"}']),
        HorizonFrame("error", None, [b"problem: rate_limit_exceeded. full details: no"]),
        HorizonFrame("close", None, [b'"byebye"']),
    ]


@settings(max_examples=examples(300), deadline=None)
@given(WIRES, st.lists(st.integers(0, 10_000), max_size=12))
def test_any_split_gives_the_same_frames(wire: bytes, at: list[int]) -> None:
    whole = parsed(wire)
    assert parsed(*cut(wire, at)) == whole
    assert parsed(*(wire[i : i + 1] for i in range(len(wire)))) == whole


@settings(max_examples=examples(200), deadline=None)
@given(WIRES, st.integers(0, 10_000))
def test_a_frame_cut_by_the_end_of_the_connection_is_not_returned(wire: bytes, at: int) -> None:
    whole, part = parsed(wire), parsed(wire[: at % (len(wire) + 1)])
    assert part == whole[: len(part)]
    unfinished = b"id: 9\ndata: {}\n"
    assert parsed(wire + unfinished) == whole


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_lines_end_in_lf_or_crlf(end: bytes) -> None:
    wire = end.join([b"id: 7", b"event: x", b"data: a", b"data: b\r", b"", b""])
    expected = [HorizonFrame("x", "7", [b"a", b"b" if end == b"\n" else b"b\r"])]
    assert parsed(wire) == expected
    assert parsed(wire)[0].data == b"\n".join(expected[0].lines)


def test_characters_may_be_split_across_chunks() -> None:
    wire = "data: 💧\n\n".encode()
    for at in range(len(wire)):
        assert parsed(wire[:at], wire[at:])[0].data.decode() == "💧"


def test_frames_are_returned_as_soon_as_they_are_complete() -> None:
    parser = HorizonFrameParser()
    assert parser.feed(b"data: 1\n\ndata: 2\n")[0].data == b"1"
    assert parser.feed(b"\n")[0].data == b"2"


def test_a_frame_without_an_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_FRAME_BYTES", 1000)
    parser = HorizonFrameParser()
    for _ in range(3):  # complete frames do not count, and comments do not
        parser.feed(b"data: " + b"x" * 900 + b"\n\n: ping\n\n")
    for endless in (b"data: xxxxxx\n", b"x" * 10):
        parser = HorizonFrameParser()
        with pytest.raises(FrameTooLongError, match="more than 1000"):  # noqa: PT012 - piece by piece
            for _ in range(101):
                parser.feed(endless)


def test_the_time_for_a_long_frame_is_linear() -> None:
    """A meta of megabytes in chunks of 64 KiB; quadratic time would be minutes."""
    body = b"x" * (24 << 20)
    wire = b"data: " + body + b"\n\n"
    pieces = [wire[i : i + (1 << 14)] for i in range(0, len(wire), 1 << 14)]
    [frame] = parsed(*pieces)
    assert frame.data == body
