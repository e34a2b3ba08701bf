"""Recorded transactions, also of stellar-core, decode to the recorded events."""

import base64
from typing import Any

import pytest
from stellar_sdk.sep.toid import TOID

from shared.chain.xdr import ContractEvent, ScVal, XdrError, decode_contract_event, decode_meta
from tests.support.recordings import Recording


@pytest.fixture(scope="module")
def transactions(recorded: Recording) -> list[dict[str, Any]]:
    return recorded.transactions()


def spelled(value: ScVal) -> Any:
    """A value as in the vectors: integers as decimals, bytes as hex."""
    if isinstance(value, list):
        return [spelled(item) for item in value]
    if isinstance(value, dict):
        return {str(key): spelled(item) for key, item in value.items()}
    return value.hex() if isinstance(value, bytes) else str(value)


def as_recorded(transaction: dict[str, Any], op: int, index: int, event: ContractEvent) -> Any:
    toid = TOID(transaction["ledger"], transaction["tx_order"], op).to_int64()
    return {
        "id": f"{toid:019d}-{index:010d}",
        "op": op,
        "idx": index,
        "contract_event_xdr": base64.b64encode(event.raw).decode(),
        "contract": event.contract_id,
        "type": event.kind.upper(),
        "topics": [spelled(topic) for topic in event.topics],
        "data": spelled(event.data),
        "topic_xdr": [base64.b64encode(topic).decode() for topic in event.topic_xdr],
        "value_xdr": base64.b64encode(event.value_xdr).decode(),
    }


def test_every_event_decodes_as_recorded(transactions: list[dict[str, Any]]) -> None:
    for transaction in transactions:
        meta = decode_meta(base64.b64decode(transaction["result_meta_xdr"]))
        assert meta.version == transaction["meta_v"]
        decoded = [
            as_recorded(transaction, op, index, event)
            for op, events in enumerate(meta.event_xdr)
            for index, event in enumerate(map(decode_contract_event, events))
        ]
        assert decoded == transaction["events"]


def test_a_meta_cut_short_anywhere_or_too_long_is_an_error(
    transactions: list[dict[str, Any]],
) -> None:
    shortest = {t["meta_v"]: t for t in sorted(transactions, key=lambda t: -len(str(t)))}
    assert set(shortest) == {3, 4}
    for transaction in shortest.values():
        raw = base64.b64decode(transaction["result_meta_xdr"])
        for wrong in [raw[:n] for n in range(len(raw))] + [raw + b"\0", raw + bytes(4)]:
            with pytest.raises(XdrError):
                decode_meta(wrong)
