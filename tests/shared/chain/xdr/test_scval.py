"""ScVal: the same natives as the SDK's, and only XdrError for wrong bytes."""

import base64
import struct
import time
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stellar_sdk import StrKey, scval, xdr

from shared.chain.xdr import (
    Address,
    Pairs,
    Symbol,
    XdrError,
    decode_contract_event,
    decode_meta,
    decode_result,
    decode_scval,
)
from tests.shared.chain.xdr.test_oracle import failure, native, throw
from tests.support.tier import examples

SENDER = "GCS2BKDSKSWQT6SMSLBAFLFURPY3ZL74CGURQ5QNE2S2KQOX6XKNNRJG"
RECIPIENT = "GB6QM3Z43JKXJD4MPY7P3VWTHPCPA7ESCAJB5W3KUY6SGHRLXQCE32XD"
TOKEN = "CA6ENHU5NRMHLU32IPZVHVHYRZQ7Z6ASYZXO4NCXIZNEBMG2IFJ6AUB2"
CREATED = (
    "AAAAEQAAAAEAAAAHAAAADwAAABBkZXBvc2l0ZWRfYW1vdW50AAAACgAAAAAAAAAAAAAAAAAPLrgAAAAPAAAAD3JhdGVf"
    "cGVyX3NlY29uZAAAAAAKAAAAAAAAAAAAAAAAAAAACwAAAA8AAAAJcmVjaXBpZW50AAAAAAAAEgAAAAAAAAAAfQZvPNpV"
    "dI+Mfj791tM7xPB8khASHttqpj0jHiu8BE0AAAAPAAAABnNlbmRlcgAAAAAAEgAAAAAAAAAApaCoclStCfpMksICrLSL"
    "8byv/BGpGHYNJqWlQdf11NYAAAAPAAAACnN0YXJ0X3RpbWUAAAAAAAUAAAAAaYAOgAAAAA8AAAAJc3RyZWFtX2lkAAAA"
    "AAAABQAAAAAAAAAHAAAADwAAAA10b2tlbl9hZGRyZXNzAAAAAAAAEgAAAAE8Rp6dbFh103pD81PU+I5h/PgSxm7uNFdG"
    "WkCw2kFT4A=="
)
WITHDRAWN = (
    "AAAAEQAAAAEAAAAEAAAADwAAAAZhbW91bnQAAAAAAAoAAAAAAAAAAAAAAAAAAARMAAAADwAAAAlyZWNpcGllbnQAAAAA"
    "AAASAAAAAAAAAAB9Bm882lV0j4x+Pv3W0zvE8HySEBIe22qmPSMeK7wETQAAAA8AAAAJc3RyZWFtX2lkAAAAAAAABQAA"
    "AAAAAAAHAAAADwAAAAl0aW1lc3RhbXAAAAAAAAAFAAAAAGmADuQ="
)
MUXED = "CA3D5KRYM6CB7OWQ6TWYRR3Z4T7GNZLKERYNZGGA5SOAOPIFY6YQGAXE"
PUBLIC = (decode_scval, decode_contract_event, decode_meta, decode_result)
seeds = st.integers(0, 2**32)


def u32s(*words: int) -> bytes:
    return struct.pack(f">{len(words)}I", *words)


def nested(depth: int) -> bytes:
    return u32s(16, 1, 1) * depth + u32s(1)


def test_the_hand_made_values_of_the_stream_contract() -> None:
    created = {
        "deposited_amount": 995000,
        "rate_per_second": 11,
        "recipient": RECIPIENT,
        "sender": SENDER,
        "start_time": 1770000000,
        "stream_id": 7,
        "token_address": TOKEN,
    }
    withdrawn = {
        "amount": 1100,
        "recipient": RECIPIENT,
        "stream_id": 7,
        "timestamp": 1770000100,
    }
    assert decode_scval(base64.b64decode(CREATED)) == created
    assert decode_scval(base64.b64decode(WITHDRAWN)) == withdrawn
    assert decode_scval(base64.b64decode("AAAABQAAAAAAAAAH")) == 7


def test_names_and_addresses_are_told_from_text() -> None:
    name = decode_scval(base64.b64decode("AAAADwAAAA5zdHJlYW1fY3JlYXRlZAAA"))
    assert (type(name), name) == (Symbol, "stream_created")
    data = decode_scval(base64.b64decode(CREATED))
    assert isinstance(data, dict)
    assert {type(key) for key in data} == {Symbol}
    assert type(data["sender"]) is Address
    assert type(decode_scval(scval.to_string("x").to_xdr_bytes())) is str


@settings(max_examples=examples(400), deadline=None)
@given(seeds)
def test_any_value_decodes_as_the_sdk_says(seed: int) -> None:
    value = throw(xdr.SCVal, seed)
    decoded = decode_scval(value.to_xdr_bytes())
    assert (type(decoded), decoded) == (type(decoded), native(value))


@pytest.mark.parametrize(
    ("make", "bits", "signed"),
    [
        (scval.to_uint32, 32, False),
        (scval.to_int32, 32, True),
        (scval.to_uint64, 64, False),
        (scval.to_int64, 64, True),
        (scval.to_uint128, 128, False),
        (scval.to_int128, 128, True),
        (scval.to_uint256, 256, False),
        (scval.to_int256, 256, True),
        (scval.to_timepoint, 64, False),
        (scval.to_duration, 64, False),
    ],
)
def test_integers_at_their_edges(make: Callable[[int], xdr.SCVal], bits: int, signed: bool) -> None:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    for number in (low, low + 1, high // 3, high - 1, high) + ((-1, 0, 1) if signed else ()):
        assert decode_scval(make(number).to_xdr_bytes()) == number


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**64 - 1))
def test_every_arm_of_an_address_is_its_strkey(key: bytes, mux: int) -> None:
    number = mux.to_bytes(8, "big")
    expected = {
        u32s(18, 0, 0) + key: StrKey.encode_ed25519_public_key(key),
        u32s(18, 1) + key: StrKey.encode_contract(key),
        u32s(18, 2) + number + key: StrKey.encode_med25519_public_key(key + number),
        u32s(18, 3, 0) + key: StrKey.encode_claimable_balance(b"\0" + key),
        u32s(18, 4) + key: StrKey.encode_liquidity_pool(key),
    }
    assert {raw: decode_scval(raw) for raw in expected} == expected


@pytest.mark.parametrize(  # the vectors of SEP-23 for CAP-84, also in go-stellar-sdk
    ("mux", "strkey"),
    [
        (0, "WA3D5KRYM6CB7OWQ6TWYRR3Z4T7GNZLKERYNZGGA5SOAOPIFY6YQGAAAAAAAAAAAAAMIU"),
        (123456, "WA3D5KRYM6CB7OWQ6TWYRR3Z4T7GNZLKERYNZGGA5SOAOPIFY6YQGAAAAAAAAAPCIA6IG"),
        (2**64 - 1, "WA3D5KRYM6CB7OWQ6TWYRR3Z4T7GNZLKERYNZGGA5SOAOPIFY6YQH77777777777774SY"),
    ],
)
def test_a_muxed_contract_of_protocol_30(mux: int, strkey: str) -> None:
    raw = u32s(18, 5) + mux.to_bytes(8, "big") + StrKey.decode_contract(MUXED)
    assert decode_scval(raw) == strkey


def test_a_map_that_no_dict_can_hold_keeps_its_entries_as_pairs() -> None:
    one, also_one, void = u32s(3, 1), u32s(5, 0, 1), u32s(1)
    assert decode_scval(u32s(17, 1, 2) + one + void + one + void) == Pairs([(1, None), (1, None)])
    equal = decode_scval(u32s(17, 1, 2) + one + void + also_one + one)
    unhashable = decode_scval(u32s(17, 1, 1) + u32s(16, 1, 0) + one)
    assert (type(equal), equal) == (Pairs, ((1, None), (1, 1)))
    assert (type(unhashable), unhashable) == (Pairs, (([], 1),))
    assert decode_scval(u32s(17, 1, 0)) == {}


def test_text_that_is_not_utf8_can_still_be_encoded() -> None:
    assert decode_scval(u32s(14, 3) + b"a\xffb\0") == "a\\xffb"


@pytest.mark.parametrize(
    ("raw", "says", "offset"),
    [
        (b"", "end before", 0),
        (u32s(23), "unknown type 23", 0),
        (u32s(0, 2), "boolean", 4),
        (u32s(1, 0), "4 bytes are left over", 4),
        (u32s(14, 5) + b"abcd", "5 bytes", 4),
        (u32s(14, 1) + b"a\0\0x", "padding", 9),
        (u32s(15, 33) + b"a" * 33 + b"\0\0\0", "symbol has 33", 4),
        (u32s(16, 1, 2, 1), "2 items", 8),
        (u32s(18, 6) + bytes(32), "unknown arm 6", 4),
        (u32s(18, 0, 1) + bytes(32), "unknown kind", 8),
        (u32s(2, 10, 0), "SCError", 4),
        (u32s(19, 3, 0), "ContractExecutable", 4),
    ],
)
def test_an_error_says_what_and_where(raw: bytes, says: str, offset: int) -> None:
    with pytest.raises(XdrError, match=says) as caught:
        decode_scval(raw)
    assert caught.value.offset == offset


@settings(max_examples=examples(60), deadline=None)
@given(seeds)
def test_cut_short_anywhere_or_too_long_is_an_error(seed: int) -> None:
    raw = throw(xdr.SCVal, seed).to_xdr_bytes()
    for wrong in [raw[:n] for n in range(len(raw))] + [raw + b"\0", raw + bytes(4)]:
        with pytest.raises(XdrError):
            decode_scval(wrong)


def test_depth_is_bounded() -> None:
    value = decode_scval(nested(200))
    for _ in range(200):
        assert isinstance(value, list)
        [value] = value
    assert value is None
    for depth in (201, 50_000):
        with pytest.raises(XdrError, match="nested"):
            decode_scval(nested(depth))


@pytest.mark.parametrize("kind", [(13,), (14,), (15,), (16, 1), (17, 1), (19, 1, 1)])
def test_a_huge_declared_length_costs_nothing(kind: tuple[int, ...]) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(XdrError):
            decode_scval(u32s(*kind, 2**32 - 1) + bytes(1000))
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_lengths_that_each_fit_but_not_together_take_linear_time() -> None:
    raw = b"".join(u32s(16, 1, (12 * left) // 4) for left in range(20_000, 0, -1))
    began = time.process_time()  # without the time that other processes run
    for function in (decode_scval, lambda xs: decode_meta(u32s(4, 0, 0, 0, 0, 1, 0, 1) + xs)):
        with pytest.raises(XdrError):
            function(raw)
    assert time.process_time() - began < 2


@settings(max_examples=examples(500), deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", u32s(3, 0), u32s(4, 0), u32s(16, 1)]))
def test_noise_raises_nothing_but_xdr_error(noise: bytes, head: bytes) -> None:
    for decode in PUBLIC:
        error = failure(decode, head + noise)
        assert error is None or 0 <= error.offset <= len(head + noise)
