"""Metas that a server left out: no field, an empty string, or a meta without content."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import pytest

from services.indexer.sources.rpc.pages import TransactionEvents
from services.indexer.sources.rpc.transactions import read_details
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.decode.dead_letters import StillUndecodableError, reread
from shared.chain.decode.records import HorizonTransaction, MalformedError, parse_record
from shared.chain.decode.transactions import (
    DecodedEvents,
    MetaMissingError,
    dead_letter,
    decode_transaction,
)
from shared.chain.errors import FatalSourceError
from shared.chain.rpc import RpcClient
from shared.domain.position import toid
from tests.indexer.handmade import (
    CONTRACTS,
    OTHER,
    WATCHED,
    created,
    document,
    meta_v4,
    number,
    proof,
    record,
    result,
)
from tests.indexer.simulated import Read, Sim, simulated

pytestmark = pytest.mark.timeout(20)
STREAMS_ALONE = WatchedContracts.of(WATCHED.address)
START = toid(3_700_000)
EVER = 1_000_000

CALL = result(proof([created()]))
EMPTY_V3, EMPTY_V4 = number(3) + bytes(20), number(4) + bytes(28)
NOTHING_SAID = {
    "none at all": None,
    "an empty text": b"",
    "an empty meta of version 3": EMPTY_V3,
    "an empty meta of version 4": EMPTY_V4,
    "an empty meta from before Soroban": number(2) + bytes(12),
    "an operation without changes": meta_v4([], returned=None),
}


@pytest.mark.parametrize("meta", NOTHING_SAID.values(), ids=NOTHING_SAID)
def test_the_meta_of_a_call_is_requested_elsewhere(meta: bytes | None) -> None:
    with pytest.raises(MetaMissingError):
        decode_transaction(record(meta, CALL), STREAMS_ALONE)


@pytest.mark.parametrize("meta", [EMPTY_V3, EMPTY_V4], ids=["3", "4"])
def test_the_meta_of_a_payment_is_requested_if_a_token_is_watched(meta: bytes) -> None:
    """Its envelope does not name the token; only its meta would."""
    payment = record(meta, result(None), contract=OTHER)
    with pytest.raises(MetaMissingError):
        decode_transaction(payment, CONTRACTS)
    assert decode_transaction(payment, STREAMS_ALONE) == DecodedEvents()


def test_a_failed_transaction_needs_no_meta() -> None:
    failed = record(EMPTY_V4, result(None, code=-1), successful=False)
    assert decode_transaction(failed, CONTRACTS) == DecodedEvents()


def test_all_forms_of_a_left_out_meta_are_recognized() -> None:
    for text in (
        "AAAAAwAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ):
        without_meta = document(None, CALL) | {"result_meta_xdr": text}
        assert parse_record(without_meta).meta is None
        assert base64.b64decode(text) in (EMPTY_V3, EMPTY_V4)


def test_an_empty_meta_of_rpc_is_malformed() -> None:
    transaction = TransactionEvents(START, "ab" * 32, "2026-02-02T02:40:00Z", {})
    result = {"status": "SUCCESS", "ledger": 3_700_000, "envelopeXdr": "AAAA"}
    result |= {"resultXdr": base64.b64encode(CALL).decode()}
    with pytest.raises(MalformedError, match="'resultMetaXdr' is empty"):
        read_details(result | {"resultMetaXdr": base64.b64encode(EMPTY_V4).decode()}, transaction)


def test_a_dead_letter_with_an_empty_meta_stays() -> None:
    one: HorizonTransaction = record(meta_v4([], returned=None), CALL)
    letter = dead_letter(one, "why", meta_v4([], returned=None))
    with pytest.raises(StillUndecodableError, match="is empty"):
        reread(letter, STREAMS_ALONE)


# ── Horizon with SKIP_TXMETA ──


@pytest.fixture
async def sim() -> AsyncIterator[Sim]:
    async with simulated() as made:
        await made.arm("empty_meta", surface="stream", times=EVER)
        yield made


async def test_left_out_metas_are_read_from_rpc(sim: Sim) -> None:
    read = await Read(START).up_to(sim.tip, sim.horizon())
    assert read.positions == sim.positions()
    assert not read.errors


async def test_without_rpc_the_error_names_the_setting(sim: Sim) -> None:
    with pytest.raises(FatalSourceError, match=r"meta_missing: .* out .*set RPC_URL"):
        await Read(START).up_to(sim.tip, sim.horizon(rpc=False))


async def test_rpc_without_the_meta_is_asked_again(
    sim: Sim, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Empty(RpcClient):
        left = 3

        async def meta(self, tx_hash: str) -> bytes:
            Empty.left -= 1
            return EMPTY_V4 if Empty.left >= 0 else await super().meta(tx_hash)

    monkeypatch.setattr("tests.indexer.simulated.RpcClient", Empty)
    read = await Read(START).up_to(sim.tip, sim.horizon())
    assert read.positions == sim.positions()
    assert read.kinds == ["meta_missing"] * 3
