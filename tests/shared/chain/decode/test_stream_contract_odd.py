"""Events with wrong types, colliding names or deep nesting never stop the indexer."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.chain.decode.stream_contract import UnreadableEventError, read_event
from shared.chain.xdr import Address, Pairs, ScVal, Symbol
from shared.chain.xdr.scval import MAX_DEPTH
from shared.journal.plan import plan_writes
from shared.journal.stream_document import encode_stream
from shared.journal.wire import encode
from tests.indexer.handmade import NOW
from tests.shared.chain.decode.test_stream_contract import (
    AT,
    BIG,
    CREATED,
    SOURCE,
    TABLE,
    TOKEN,
    A,
    B,
    C,
    contract_event,
    read,
)
from tests.support.tier import examples

NEEDED = [
    *(("stream_created", field) for field in CREATED if field != "stream_id"),
    ("stream_topped_up", "new_deposited_amount"),
    ("tokens_withdrawn", "amount"),
    ("stream_cancelled", "amount_withdrawn"),
    ("stream_cancelled", "refunded_amount"),
    ("recipient_transferred", "new_recipient"),
    ("stream_rate_modified", "new_rate_per_second"),
]
GOOD = {row[0]: row[2] for row in TABLE}


@pytest.mark.parametrize(("name", "field"), NEEDED)
def test_a_wrong_required_field_is_named(name: str, field: str) -> None:
    good = GOOD[name]
    wrong: list[ScVal] = [None, True, "text", b"bytes", [], {}, Pairs()]
    wrong += [5] if isinstance(good[field], Address) else [A]
    cases = [{k: v for k, v in good.items() if k != field}] + [good | {field: w} for w in wrong]
    for data in cases:
        reason = f"{name}: '{field}' is missing or not of type "
        with pytest.raises(UnreadableEventError, match=reason):
            read(name, data)


@pytest.mark.parametrize("field", ["timestamp", "paused_at", "settled_amount", "new_end_time"])
def test_a_wrong_optional_field_is_named(field: str) -> None:
    for name in ("stream_paused", "stream_resumed", "stream_completed"):
        values: list[ScVal] = ["soon", [], True, b"\1", A]
        for wrong in values:
            with pytest.raises(UnreadableEventError, match=f"'{field}' is not of type "):
                read(name, {field: wrong})
        assert read(name, {field: None}).timestamp == NOW
    assert read("stream_paused", {"paused_at": None}).facts["pausedAt"] == NOW


@pytest.mark.parametrize("time", [-1, 1 << 63, 1 << 64, BIG, -BIG])
def test_impossible_times_are_unreadable(time: int) -> None:
    for name, field in (("stream_created", "start_time"), ("tokens_withdrawn", "timestamp")):
        with pytest.raises(UnreadableEventError, match=field):
            read(name, GOOD[name] | {field: time})
    facts = read("initialized", {"began_at": time, "fee_rate_bps": time}).facts
    expected = time if 0 <= time < 1 << 64 else str(time)
    assert facts == {"beganAt": expected, "feeRateBps": expected}


def test_missing_optional_and_additional_fields_are_accepted() -> None:
    facts = read("stream_paused", {"who": A, "deep": {"a_b": [1, b"\xff", None, True]}}).facts
    deep = {"aB": ["1", "ff", None, True]}
    assert facts == {"who": A, "deep": deep, "pausedAt": NOW}


@pytest.mark.parametrize("data", [None, 5, "text", [], Pairs(), {5: 5}, {b"k": 5}])
def test_data_that_is_not_a_map_of_names_is_unreadable(data: ScVal) -> None:
    with pytest.raises(UnreadableEventError, match="stream_paused: its data is not a map"):
        read("stream_paused", data)


@pytest.mark.parametrize(
    "data",
    [
        {"amount": 1, "amount_": "abc"},
        {"amountWithdrawn": 1, "amount_withdrawn": 2},
        {"x": {"a_b": 1, "aB": 2}},
        {"x": {1: 1, "1": 2}},
    ],
)
def test_two_fields_with_the_same_camel_case_name_are_unreadable(data: dict[str, ScVal]) -> None:
    with pytest.raises(UnreadableEventError, match="the same name in camelCase"):
        read("stream_completed", data)


@pytest.mark.parametrize("field", ["paused__at", "pausedAt", "paused_at_"])
def test_a_field_is_checked_by_its_camel_case_name(field: str) -> None:
    with pytest.raises(UnreadableEventError, match="'paused_at' is not of type Unix time"):
        read("stream_paused", {field: "abc"})


def test_no_field_replaces_a_field_of_the_envelope() -> None:
    reserved = ["id", "type", "origin", "published_at", "stream", "contract_id", "ledger"]
    reserved += ["ledger_closed_at", "tx_hash", "verified", "streamId", ""]
    event = read("stream_resumed", dict.fromkeys(reserved, "forged"))
    _, body = encode(event, ())
    document = orjson.loads(body)
    assert {k for k, v in document.items() if v == "forged"} == {""}
    assert (document["streamId"], document["txHash"]) == ("7", SOURCE.tx_hash)


def test_data_nested_deeper_than_json_allows_is_unreadable() -> None:
    nested: ScVal = None
    for _ in range(MAX_DEPTH - 5):
        nested = {"x": nested}
    assert read("stream_resumed", {"deep": nested})
    pairs: ScVal = None
    for _ in range(MAX_DEPTH - 5):
        pairs = Pairs([(Symbol("x"), pairs), (Symbol("x"), None)])
    with pytest.raises(UnreadableEventError, match="cannot be written as JSON"):
        read("stream_resumed", {"deep": pairs})


def test_the_largest_times_can_be_written_as_json() -> None:
    most = (1 << 63) - 1
    modified = {"new_rate_per_second": 1 << 100, "new_end_time": (1 << 64) - 1, "timestamp": most}
    events = [
        read("stream_created", CREATED | {"start_time": most, "deposited_amount": 5}),
        read("stream_topped_up", {"new_deposited_amount": -BIG}),
        read("stream_rate_modified", modified),
        read("stream_paused", {"paused_at": 0}),
        read("stream_resumed", {}, closed=most),
    ]
    *_, last = plan_writes(events, {})
    assert last.after
    assert orjson.loads(encode_stream(last.after, most))["lastUpdateTime"] == 2 * most


TEXTS = st.one_of(
    st.sampled_from(sorted({f for data in GOOD.values() for f in data} | set(GOOD) | {"", "_"})),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 255), (1 << 256) - 1),
    st.integers(0, 1 << 33),
    st.binary(max_size=8),
    TEXTS,
    TEXTS.map(Symbol),
    st.sampled_from([A, B, C, TOKEN]),
)
HASHABLE = st.one_of(TEXTS, TEXTS.map(Symbol), st.integers(-5, 5), st.binary(max_size=3))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(HASHABLE, inner, max_size=5),
        st.lists(st.tuples(inner, inner), max_size=3).map(Pairs),
    ),
    max_leaves=12,
)


@st.composite
def near(draw: st.DrawFn) -> tuple[ScVal, ScVal, Any]:
    """A known event with some fields wrong, missing or added."""
    name = draw(st.sampled_from(sorted(GOOD)))
    data = dict(GOOD[name])
    for field in draw(st.sets(st.sampled_from(sorted(data)), max_size=2)) if data else ():
        data[field] = draw(SCALARS)
    data |= draw(st.dictionaries(TEXTS, VALUES, max_size=2))
    return name, 7, data


ANYTHING = st.tuples(SCALARS, SCALARS, VALUES)


@settings(max_examples=examples(400), deadline=None)
@given(st.lists(near() | ANYTHING, min_size=1, max_size=4))
def test_any_event_is_unreadable_or_can_be_written(
    contents: list[tuple[ScVal, ScVal, ScVal]],
) -> None:
    """The event is unreadable, or it can be planned, written and read as JSON."""
    events = [read("stream_created", CREATED)]
    for name, stream_id, data in contents:
        try:
            events.append(read_event(contract_event(name, stream_id, data), AT, SOURCE, NOW))
        except UnreadableEventError:
            continue
    for write in plan_writes(events, {}):
        head, body = encode(write.event, write.topics, write.concerns)
        assert head.decode().split(" ")[0] == write.event.type
        assert orjson.loads(body)["streamId"] == write.event.stream_id
        if write.after:
            assert orjson.loads(encode_stream(write.after, NOW))["version"] >= 1
