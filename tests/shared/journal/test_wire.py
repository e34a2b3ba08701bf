"""The wire format: an event from its encoding through journal, channel and frame to a browser."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.fanout.sse import event_frame, frame
from shared.domain.events import Event, EventType, Origin, Provenance
from shared.domain.position import Position
from shared.domain.stream import I128_MAX, Acceptance, Stream, StreamStatus
from shared.domain.topics import topics_of
from shared.journal.stream_document import (
    decode_stream,
    encode_stream,
    stream_document,
    with_claimable,
)
from shared.journal.wire import JournalEntry, encode, entry_of, parse_message, times_of
from tests.shared.eventsource import Message, parse
from tests.shared.samples import PROVENANCE, TOKEN, TYPE, R, S, a_stream, chain, fact

OURS = ["id", "type", "streamId", "timestamp", "origin", "publishedAt", "stream", "contractId"]
OURS += ["ledger", "ledgerClosedAt", "txHash", "verified"]
json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(1 << 53), 1 << 53), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)
nasty = st.sampled_from(["a\nb", "a\r\nb", "\u2028", "\u2029", "\0", "\x85", "data: x\n\n", "é😀"])
facts = st.dictionaries(st.one_of(st.sampled_from(OURS), nasty, st.text()), st.one_of(nasty, json))
positions = st.builds(Position, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
events = st.builds(
    Event,
    st.sampled_from(EventType),
    st.one_of(st.none(), st.just("7")),
    st.integers(0, 2**53),
    facts,
    positions,
    st.one_of(st.none(), st.builds(replace, st.just(PROVENANCE), verified=st.booleans())),
)
amounts = st.integers(0, I128_MAX)
times = st.integers(0, 2**62)
streams = st.builds(
    Stream,
    id=st.just("7"), origin=st.sampled_from(Origin), contract_id=st.one_of(st.none(), st.text()),
    sender=st.just(S), recipient=st.just(R), token=st.just(TOKEN), rate=amounts, deposited=amounts,
    withdrawn=amounts, refunded=amounts, start_time=times, last_update_time=times,
    paused_at=st.one_of(st.none(), times), status=st.sampled_from(StreamStatus),
    acceptance=st.sampled_from(Acceptance), metadata=st.dictionaries(st.text(), json),
    version=st.integers(1, 2**53),
    position=positions.map(str), created_at=times, updated_at=times,
)  # fmt: skip


def committed(event: Event, previous: Position) -> JournalEntry:
    """The entry as commit.lua writes it, with `id` and `publishedAt` at the start of the body."""
    tip, body = encode(event, topics_of(event))
    body = b'{"id":"%s","publishedAt":17,' % str(event.position).encode() + body[1:]
    fields = {b"p": str(previous).encode(), b"h": tip, b"b": body}
    entry = entry_of(str(event.position).encode(), fields)
    message = f"testnet-0 {previous} {event.position} ".encode() + tip + b"\n" + body
    assert parse_message(message) == ("testnet-0", entry)
    return entry


@given(events, positions)
def test_journal_channel_and_browser_get_the_same_event(event: Event, previous: Position) -> None:
    entry = committed(event, previous)
    assert (entry.position, entry.previous) == (str(event.position), str(previous))
    assert (entry.type, entry.topics) == (event.type, topics_of(event))
    messages, last_id = parse(event_frame(entry))
    name = {TYPE.CHAIN_GAP: "gap", TYPE.JOURNAL_RESET: "reset"}.get(event.type, event.type)
    assert messages == [Message(name, entry.body.decode(), entry.position)]
    assert last_id == entry.position
    assert re.fullmatch(r"[A-Za-z0-9._~-]{1,128}", last_id)


@given(events)
def test_no_fact_can_replace_a_field_of_headrace(event: Event) -> None:
    entry = committed(event, Position(0, 0))
    pairs = re.findall(rb'"(id|publishedAt|type|streamId|origin)":', entry.body.split(b"{", 2)[1])
    body = orjson.loads(entry.body)
    assert len(pairs) == len(set(pairs))
    assert body["id"] == entry.position
    assert body["publishedAt"] == 17
    assert (body["type"], body["streamId"]) == (event.type, event.stream_id)
    assert (body["timestamp"], body["origin"]) == (event.timestamp, event.origin)
    assert "stream" not in body
    source = event.provenance
    assert body.get("txHash") == (source.tx_hash if source else None)
    assert body.get("verified") == (source.verified if source else None)
    for name, value in event.facts.items():
        assert name in OURS or body[name] == value


@given(events)
def test_a_body_is_always_one_line_of_json(event: Event) -> None:
    body = committed(event, Position(0, 0)).body
    assert not set(body) & set(range(0x20))
    assert orjson.loads(body)


def test_an_incomplete_frame_does_not_move_the_cursor() -> None:
    whole = event_frame(committed(fact_at(Position(9, 1)), Position(9, 0)))
    for cut in range(len(whole)):
        assert parse(b"id: 1-0\ndata: x\n\n" + whole[:cut])[1] == "1-0"
    assert whole.endswith(b"\nid: 9-1\n\n")


def fact_at(position: Position) -> Event:
    return chain(TYPE.STREAM_PAUSED, "7", position, pausedAt=5)


def test_a_frame_without_name_or_position_lacks_that_line() -> None:
    assert frame("", b"{}", None) == b"data: {}\n\n"
    assert parse(frame("", b"{}", "1-2"))[0] == [Message("message", "{}", "1-2")]


def test_a_chain_event_contains_its_provenance() -> None:
    provenance = Provenance("C1", 7, "2026-07-21T18:01:10Z", "ab", None)
    event = chain(TYPE.STREAM_PAUSED, "7", Position(9, 1), provenance=provenance, pausedAt=5)
    body = orjson.loads(encode(event, ("7",))[1])
    assert body == {
        "type": "stream.paused", "streamId": "7", "pausedAt": 5, "timestamp": 100,
        "origin": "chain", "contractId": "C1", "ledger": 7,
        "ledgerClosedAt": "2026-07-21T18:01:10Z", "txHash": "ab", "verified": None,
    }  # fmt: skip
    assert "ledger" not in orjson.loads(encode(fact(TYPE.STREAM_PAUSED), ())[1])


def test_parties_that_an_event_lacks_come_from_its_stream() -> None:
    body = orjson.loads(encode(fact(TYPE.STREAM_PAUSED, sender="GX"), (), a_stream())[1])
    assert (body["sender"], body["recipient"], body["tokenAddress"]) == ("GX", R, TOKEN)


@pytest.mark.parametrize("raw", [b"", b"x", b"ns 1-0 2-0 stream.paused", b"ns 1-0 2-0\n{}", b"\n"])
def test_a_message_that_headrace_did_not_write_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="not a Headrace message"):
        parse_message(raw)


@given(streams, times)
def test_a_stream_survives_encoding_and_decoding(stream: Stream, now: int) -> None:
    raw = encode_stream(stream, now)
    assert raw.startswith(b'{"version":%d,' % stream.version)
    assert decode_stream(raw) == stream


@given(streams, times)
def test_every_amount_in_a_document_is_a_decimal_string(stream: Stream, now: int) -> None:
    document: Any = stream_document(stream, now)
    for name in ("ratePerSecond", "depositedAmount", "withdrawnAmount", "refundedAmount"):
        assert re.fullmatch(r"-?\d+", str(document[name]))
        assert isinstance(document[name], str)
    assert isinstance(document["claimable"]["amount"], str)
    assert document["claimable"]["asOf"] == now


def test_a_document_before_the_commit_has_no_position() -> None:
    assert "position" not in stream_document(a_stream(), 100)
    assert encode_stream(a_stream(), 100).endswith(b"}")


def test_the_times_of_an_event_are_those_of_its_top_level_fields() -> None:
    nested = {"ledgerClosedAt": "never", "publishedAt": 1}
    body = {"id": "5-1", "publishedAt": 1_500_000, "extra": nested}
    entry = JournalEntry("5-1", "5-0", "stream.updated", ("7",), orjson.dumps(body))
    assert times_of(entry) == (1.5, None)
    body |= {"ledgerClosedAt": "1970-01-01T00:00:01Z"}
    assert times_of(entry._replace(body=orjson.dumps(body))) == (1.5, 1.0)


@given(streams, times)
def test_a_stored_document_gets_the_amount_of_another_time(stream: Stream, now: int) -> None:
    stored = encode_stream(stream, stream.updated_at)
    assert with_claimable(stored, stream, now) == encode_stream(stream, now)


@given(streams, times)
def test_a_document_of_an_earlier_version_gets_its_acceptance(stream: Stream, now: int) -> None:
    stream = replace(stream, acceptance=Acceptance.ACCEPTED)
    current = encode_stream(stream, now)
    stored = current.replace(b'"acceptance":"accepted",', b"", 1)
    assert stored != current
    assert with_claimable(stored, stream, now) == current
    assert decode_stream(stored) == stream


def test_metadata_is_not_taken_for_the_claimable_amount() -> None:
    metadata = {"claimable": {"amount": "1", "asOf": 1}}
    stream = replace(a_stream(100), metadata=metadata, position="5-1")
    document = orjson.loads(with_claimable(encode_stream(stream, 100), stream, 200))
    assert document["metadata"] == metadata
    assert document["claimable"]["asOf"] == 200
