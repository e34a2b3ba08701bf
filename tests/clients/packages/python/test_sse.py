"""The parser of event streams, compared with a plain reading of WHATWG HTML 9.2.6."""

from __future__ import annotations

from itertools import pairwise

import pytest
from headrace_client.errors import ProtocolError
from headrace_client.subscribe import sse
from headrace_client.subscribe.sse import Message, SseParser
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.tier import examples

ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
LINES = st.sampled_from(
    [
        b"",
        b"",
        b"event: stream.withdrawn",
        b"event:",
        b"data: {}",
        b"data:no space",
        b"data:  two spaces",
        b"data",
        b"data: a: b",
        b"id: 5-1",
        b"id",
        b"id: 1\x002",
        b"retry: 250",
        b"retry: 00000000000000000001",
        b"retry: 1e3",
        b"retry:",
        "retry: ٣".encode(),
        b"retry: " + b"9" * 5000,
        b": a comment",
        b"unknown: x",
        b" data: not a field",
        "data: 💧 naïve".encode(),
        b"data: \xff\xc3 not UTF-8 \xf0\x9f",
        b"data: \xef\xbb\xbf inside",
        b"\xef\xbb\xbfdata: a mark at the start of a line",
    ]
)
STARTS = st.sampled_from([b"", b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf", b"\xef\xbb"])
WIRES = st.builds(
    lambda start, lines: start + b"".join(line + end for line, end in lines),
    STARTS,
    st.lists(st.tuples(LINES, ENDS), max_size=25),
)
SPLITS = st.lists(st.integers(0, 10_000), max_size=12)


def parsed(*pieces: bytes) -> tuple[list[Message], int | None]:
    parser = SseParser()
    return [message for piece in pieces for message in parser.feed(piece)], parser.retry


def by_the_standard(wire: bytes) -> tuple[list[Message], int | None]:
    """All messages of a whole stream, step by step as the standard describes it."""
    text = wire.decode("utf-8-sig", "replace")  # "UTF-8 decode" removes one byte order mark
    *lines, _ = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    messages, retry = [], None
    event_type = data = last_id = id_buffer = ""
    for line in lines:
        if not line:
            last_id = id_buffer
            if data:
                messages.append(Message(event_type or "message", data.removesuffix("\n"), last_id))
            event_type = data = ""
            continue
        if line.startswith(":"):
            continue
        name, colon, value = line.partition(":")
        value = value.removeprefix(" ") if colon else ""
        if name == "event":
            event_type = value
        elif name == "data":
            data += value + "\n"
        elif name == "id" and "\0" not in value:
            id_buffer = value
        elif name == "retry" and value and set(value) <= set("0123456789"):
            retry = min(int(value.lstrip("0")[:20] or "0"), 10**9)  # this client's own limit
    return messages, retry


def cut(wire: bytes, at: list[int]) -> list[bytes]:
    places = sorted({0, len(wire), *(each % (len(wire) + 1) for each in at)})
    return [wire[a:b] for a, b in pairwise(places)]


@settings(max_examples=examples(400))
@given(WIRES, SPLITS)
def test_any_split_gives_the_messages_of_the_standard(wire: bytes, at: list[int]) -> None:
    expected = by_the_standard(wire)
    assert parsed(wire) == expected
    assert parsed(*cut(wire, at)) == expected
    assert parsed(*(wire[i : i + 1] for i in range(len(wire)))) == expected


@settings(max_examples=examples(200))
@given(st.binary(max_size=200), SPLITS)
def test_any_bytes_in_any_split_give_the_messages_of_the_standard(
    wire: bytes, at: list[int]
) -> None:
    wire = b"data: " + wire + b"\n\n"
    assert parsed(*cut(wire, at)) == by_the_standard(wire)


@settings(max_examples=examples(100))
@given(WIRES, st.integers(0, 10_000))
def test_what_the_end_of_a_connection_cut_off_is_not_returned(wire: bytes, at: int) -> None:
    whole, _ = parsed(wire)
    part, _ = parsed(wire[: at % (len(wire) + 1)])
    assert part == whole[: len(part)]


def test_a_message_is_returned_with_its_last_byte() -> None:
    for end in (b"\n", b"\r", b"\r\n"):
        parser = SseParser()
        wire = b"id: 5-1" + end + b"data: {}" + end + end[:1]
        assert [parser.feed(wire[i : i + 1]) for i in range(len(wire) - 1)] == [[]] * (
            len(wire) - 1
        )
        assert parser.feed(wire[-1:]) == [Message("message", "{}", "5-1")]


def test_the_id_stays_until_another_one_comes() -> None:
    messages, _ = parsed(b"id: 1-0\ndata: a\n\ndata: b\n\nid: 2-0\n\ndata: c\n\nid\ndata: d\n\n")
    assert [message.id for message in messages] == ["1-0", "1-0", "2-0", ""]


def test_a_message_without_an_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_MESSAGE_BYTES", 1000)
    parser = SseParser()
    for _ in range(5):
        parser.feed(b"data: " + b"x" * 900 + b"\n\n")
    for endless in (b"data: xxxxxx\n", b"x" * 10):
        parser = SseParser()
        with pytest.raises(ProtocolError, match="more than 1000 bytes"):
            parser.feed(b"".join([endless] * 101))


def test_a_long_line_takes_linear_time() -> None:
    wire = b"data: " + b"x" * (8 << 20) + b"\n\n"
    messages, _ = parsed(*(wire[i : i + 4096] for i in range(0, len(wire), 4096)))
    assert len(messages[0].data) == 8 << 20
