"""A frame in each encoding: what it contains, and that it stands alone."""

from __future__ import annotations

import gzip
import zlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.fanout.frame import GZIP_HEADER, Encoding, EventFrame, Frame, JoinedFrames
from services.fanout.sse import event_frame
from services.fanout.subscribe.request import accepts_gzip
from shared.domain.events import EventType
from shared.journal.wire import JournalEntry, compact

COMPACT, GZIP = Encoding.COMPACT, Encoding.GZIP
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
BODIES = st.dictionaries(st.text(max_size=8) | st.just("metadata"), JSON, max_size=6)


def frame_of(body: dict[str, object], n: int = 1) -> EventFrame:
    entry = JournalEntry(f"{n}-0", f"{n - 1}-0", "stream.created", ("7",), orjson.dumps(body))
    return EventFrame(entry)


def decompressed(*blocks: bytes) -> bytes:
    """What a client reads from these blocks. Each must be readable without the next one."""
    stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    assert stream.decompress(GZIP_HEADER) == b""
    return b"".join(stream.decompress(block) for block in blocks)


@given(body=BODIES, version=st.none() | st.integers(1, 1 << 53))
def test_compact_leaves_out_the_state_of_the_stream_and_nothing_else(
    body: dict[str, object], version: int | None
) -> None:
    body = {name: value for name, value in body.items() if name != "stream"}
    whole = body if version is None else body | {"stream": {"version": version, "id": "7"}}
    short = orjson.loads(compact(orjson.dumps(whole)))
    assert short == (body if version is None else body | {"stream": {"version": version}})


def test_compact_keeps_a_stream_that_is_inside_another_field() -> None:
    facts = {"metadata": {"stream": {"version": 1, "id": "7"}}}
    assert orjson.loads(compact(orjson.dumps(facts))) == facts


@given(body=BODIES, kind=st.sampled_from(EventType))
def test_the_size_of_an_event_is_known_before_its_text_is_made(
    body: dict[str, object], kind: EventType
) -> None:
    frame = EventFrame(JournalEntry("17-1", "9-0", kind, ("7",), orjson.dumps(body)))
    assert frame.size == len(frame.plain)


@given(bodies=st.lists(BODIES, min_size=1, max_size=5))
def test_frames_of_all_encodings_have_the_same_events(bodies: list[dict[str, object]]) -> None:
    frames = [frame_of(body | {"stream": {"version": 1}}, n) for n, body in enumerate(bodies, 1)]
    for joined in (JoinedFrames(frames), *frames):
        assert decompressed(joined.encoded(GZIP)) == joined.plain == joined.encoded(Encoding.PLAIN)
        assert decompressed(joined.encoded(GZIP | COMPACT)) == joined.encoded(COMPACT)
    blocks = [frame.encoded(GZIP) for frame in frames]
    assert decompressed(*blocks) == JoinedFrames(frames).plain


@given(before=st.binary(max_size=3000), body=st.binary(max_size=3000))
def test_a_compressed_frame_does_not_depend_on_frames_before(before: bytes, body: bytes) -> None:
    """So the same bytes serve every subscriber, and no frame tells anything of another one."""
    first = Frame(body).encoded(GZIP)
    Frame(before).encoded(GZIP)
    assert Frame(body).encoded(GZIP) == first
    assert decompressed(first) == body


def test_each_encoding_is_made_once() -> None:
    frame = frame_of({"stream": {"version": 1, "id": "7"}, "metadata": "x" * 500})
    for encoding in Encoding:
        assert frame.encoded(encoding) is frame.encoded(encoding)
    assert len(frame.encoded(GZIP)) < len(frame.plain) / 4
    assert frame.encoded(COMPACT) != frame.plain


def test_a_frame_that_is_no_event_is_the_same_in_both_views() -> None:
    sync = Frame(b"event: sync\ndata: {}\n\n")
    assert sync.encoded(COMPACT) is sync.plain
    assert sync.encoded(COMPACT | GZIP) == sync.encoded(GZIP)


def test_the_header_is_that_of_a_gzip_file() -> None:
    frame = Frame(event_frame(JournalEntry("1-0", "0-0", "stream.created", (), b"{}")))
    empty_last_block = b"\x03\0"
    trailer = zlib.crc32(frame.plain).to_bytes(4, "little") + len(frame.plain).to_bytes(4, "little")
    whole = GZIP_HEADER + frame.encoded(GZIP) + empty_last_block + trailer
    assert gzip.decompress(whole) == frame.plain


@pytest.mark.parametrize(
    ("fields", "accepted"),
    [
        ([], False),
        ([""], False),
        (["identity"], False),
        (["*"], False),
        (["gzip"], True),
        (["gzip, deflate, br, zstd"], True),
        (["br", "GZIP;q=0.5"], True),
        (["x-gzip"], True),
        (["gzip;q=0"], False),
        (["gzip; q=0.000, br"], False),
        (["gzip;q=0.001"], True),
        (["gzippy"], False),
    ],
)
def test_gzip_is_used_only_for_clients_that_accept_it(fields: list[str], accepted: bool) -> None:
    assert accepts_gzip(fields) is accepted
