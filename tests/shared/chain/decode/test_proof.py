"""The proof of events by the hash in their transaction's result."""

import base64
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stellar_sdk import xdr

from shared.chain.decode.proof import verify
from shared.chain.xdr import (
    TransactionMeta,
    TransactionResult,
    XdrError,
    decode_meta,
    decode_result,
)
from tests.shared.chain.xdr.test_oracle import throw
from tests.support.recordings import Recording
from tests.support.tier import examples


@pytest.fixture(scope="module")
def transactions(recorded: Recording) -> list[dict[str, Any]]:
    return recorded.transactions()


def parts(transaction: dict[str, Any]) -> tuple[bytes, TransactionResult]:
    meta = base64.b64decode(transaction["result_meta_xdr"])
    return meta, decode_result(base64.b64decode(transaction["result_xdr"]))


def flipped(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


def attempt(raw: bytes) -> TransactionMeta | None:
    try:
        return decode_meta(raw)
    except XdrError:
        return None


def calls(transaction: dict[str, Any]) -> bool:
    """Whether it calls a contract; the others are payments, which have events since CAP-67."""
    outcome = xdr.TransactionResult.from_xdr(transaction["result_xdr"]).result
    bumped = outcome.inner_result_pair
    results = bumped.result.result.results if bumped else outcome.results
    [operation] = [each.tr.type for each in results or [] if each.tr]
    return operation is xdr.OperationType.INVOKE_HOST_FUNCTION


def test_recorded_calls_are_proved_and_payments_are_not(transactions: list[dict[str, Any]]) -> None:
    assert sum(map(calls, transactions)) >= 8
    for transaction in transactions:
        meta, result = parts(transaction)
        assert verify(decode_meta(meta), result) is (True if calls(transaction) else None)


def proved(meta: TransactionMeta) -> tuple[object, ...]:
    """What the hash covers. It does not cover the ledger entry changes."""
    return meta.version, meta.return_value, meta.event_xdr


def test_no_flipped_byte_of_an_event_or_a_return_value_passes(
    transactions: list[dict[str, Any]],
) -> None:
    by_size = {len(t["result_meta_xdr"]): t for t in transactions if calls(t)}
    for size, transaction in by_size.items():
        raw, result = parts(transaction)
        true = decode_meta(raw)
        caught = 0
        for at in range(0, len(raw), 1 if size < 4000 else 47):
            meta = attempt(flipped(raw, at))
            if meta is None or proved(meta) != proved(true):
                caught += 1
                assert meta is None or verify(meta, result) is False
        assert caught > 0


def test_no_flipped_byte_of_the_hash_passes(transactions: list[dict[str, Any]]) -> None:
    raw, result = parts(transactions[0])
    meta = decode_meta(raw)
    for at in range(32):
        other = TransactionResult(True, {0: flipped(result.invoke_hash[0], at)})
        assert verify(meta, other) is False


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.integers(0, 2**32), max_size=4), st.integers(0, 2**32), st.data())
def test_the_hash_covers_the_preimage_of_the_sdk(
    seeds: list[int], seed: int, data: st.DataObject
) -> None:
    events = [throw(xdr.ContractEvent, each) for each in seeds]
    returned = throw(xdr.SCVal, seed)
    preimage = xdr.InvokeHostFunctionSuccessPreImage(returned, events).to_xdr_bytes()
    result = TransactionResult(True, {0: sha256(preimage).digest()})
    raws = tuple(event.to_xdr_bytes() for event in events)
    meta = TransactionMeta(4, returned.to_xdr_bytes(), (raws,))
    assert verify(meta, result) is True
    shuffled = tuple(data.draw(st.permutations(raws)))
    assert verify(replace(meta, event_xdr=(shuffled,)), result) is (shuffled == raws)
    if raws:
        assert verify(replace(meta, event_xdr=(raws[1:],)), result) is False


RETURNED = b"\0\0\0\1"
NO_EVENTS = sha256(RETURNED + bytes(4)).digest()


@pytest.mark.parametrize(
    ("events", "returned", "result", "verdict"),
    [
        (((),), RETURNED, TransactionResult(True, {0: NO_EVENTS}), True),
        (((),), RETURNED, None, None),
        (
            ((b"payment",),),
            None,
            TransactionResult(True, {}),
            None,
        ),  # classic operation: no hash covers it
        (((),), None, TransactionResult(True, {0: NO_EVENTS}), False),  # a call returns a value
        (((), (b"forged",)), RETURNED, TransactionResult(True, {0: NO_EVENTS}), False),
        ((), RETURNED, TransactionResult(True, {0: NO_EVENTS}), False),
        ((), None, TransactionResult(False, {}), None),
        (
            ((b"forged",),),
            None,
            TransactionResult(False, {}),
            False,
        ),  # a failed transaction emits nothing
    ],
)
def test_verify_returns_true_false_or_none(
    events: tuple[tuple[bytes, ...], ...],
    returned: bytes | None,
    result: TransactionResult | None,
    verdict: bool | None,
) -> None:
    assert verify(TransactionMeta(4, returned, events), result) is verdict
