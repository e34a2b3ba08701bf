"""What only one of the two servers has, or has not yet: of the simulated network."""

from __future__ import annotations

from hashlib import sha256

import aiohttp
import pytest
from stellar_sdk import xdr

from deploy.simulator.network import Network
from tests.simulator.samples import Sim, aged, read, rpc, stream

pytestmark = pytest.mark.timeout(15)


@pytest.fixture
def network() -> Network:
    return aged(12)


async def bounds(http: aiohttp.ClientSession) -> tuple[tuple[int, int], tuple[int, int]]:
    root, health = await read(http, "/"), (await rpc(http, "getHealth"))["result"]
    horizon = root["history_elder_ledger"], root["history_latest_ledger"]
    return horizon, (health["oldestLedger"], health["latestLedger"])


async def test_one_server_forgets_alone(
    http: aiohttp.ClientSession, sim: Sim, network: Network
) -> None:
    oldest, latest = network.chain.oldest.sequence, network.chain.latest.sequence
    await sim("POST", "faults", kind="trim", surface="rpc", after=3)
    assert await bounds(http) == ((oldest, latest), (latest - 2, latest))
    refused = await rpc(http, "getEvents", startLedger=oldest)
    assert refused["error"]["code"] == -32600
    gone = next(iter(network.chain.after(0)))
    found = await rpc(http, "getTransaction", hash=gone.hash)
    assert found["result"]["status"] == "NOT_FOUND"
    assert (await read(http, f"/transactions/{gone.hash}"))["hash"] == gone.hash
    await sim("POST", "faults", kind="trim", surface="horizon", after=2)
    assert await bounds(http) == ((latest - 1, latest), (latest - 2, latest))
    async with http.get(f"/ledgers/{latest - 2}") as response:
        assert response.status == 410
    await sim("POST", "faults", kind="trim", after=1)
    assert await bounds(http) == ((latest, latest), (latest, latest))


async def test_one_server_lags_until_it_is_forgiven(
    http: aiohttp.ClientSession, sim: Sim, network: Network
) -> None:
    oldest, latest = network.chain.oldest.sequence, network.chain.latest.sequence
    await sim("POST", "faults", kind="lag", surface="horizon", after=4)
    assert await bounds(http) == ((oldest, latest - 4), (oldest, latest))
    page = await stream(http, f"limit=1&cursor={latest - 4 << 32}")
    assert b"data: {" in page
    assert (await read(http, f"/transactions?cursor={latest - 3 << 32}"))["_embedded"][
        "records"
    ] == []
    await sim("POST", "faults", kind="lag", after=2)
    assert await bounds(http) == ((oldest, latest - 2), (oldest, latest - 2))
    await sim("DELETE", "faults")
    assert await bounds(http) == ((oldest, latest), (oldest, latest))
    await sim("POST", "faults", kind="lag", surface="rpc", after=1_000)
    assert (await bounds(http))[1] == (oldest, oldest)


async def test_a_reset_forgives_all(http: aiohttp.ClientSession, sim: Sim) -> None:
    await sim("POST", "faults", kind="trim", surface="rpc", after=1)
    await sim("POST", "faults", kind="lag", surface="rpc", after=1)
    await sim("POST", "faults", kind="reset")
    assert await bounds(http) == ((2, 2), (2, 2))


async def test_ledgers_have_their_hashes(http: aiohttp.ClientSession, network: Network) -> None:
    oldest, latest = network.chain.oldest, network.chain.latest
    for ledger in (oldest, latest):
        asked = {"startLedger": ledger.sequence, "pagination": {"limit": 1}}
        found = (await rpc(http, "getLedgers", **asked))["result"]
        [told] = found["ledgers"]
        assert (told["sequence"], told["hash"]) == (ledger.sequence, ledger.hash)
        assert (await read(http, f"/ledgers/{ledger.sequence}"))["hash"] == ledger.hash
        assert found["latestLedger"] == latest.sequence
        header = xdr.LedgerHeaderHistoryEntry.from_xdr(told["headerXdr"])
        assert header.hash.hash.hex() == ledger.hash
        assert sha256(header.header.to_xdr_bytes()).hexdigest() == ledger.hash
        assert header.header.ledger_seq.uint32 == ledger.sequence
    for start in (oldest.sequence - 1, latest.sequence + 1):
        refused = await rpc(http, "getLedgers", startLedger=start, pagination={"limit": 1})
        assert refused["error"]["code"] == -32600
    refused = await rpc(http, "getLedgers", startLedger=latest.sequence, pagination={"limit": 201})
    assert refused["error"] == {"code": -32600, "message": "limit must not exceed 200"}


async def test_metadata_of_a_ledger(http: aiohttp.ClientSession, network: Network) -> None:
    oldest, latest = network.chain.oldest, network.chain.latest
    found = (await rpc(http, "getLedgers", startLedger=oldest.sequence))["result"]
    assert found["cursor"] == str(latest.sequence)
    for ledger, told in zip(network.chain.ledgers(0, 1 << 31), found["ledgers"], strict=True):
        meta = xdr.LedgerCloseMeta.from_xdr(told["metadataXdr"])
        assert meta.to_xdr() == told["metadataXdr"]
        assert meta.v2
        assert meta.v2.ledger_header.to_xdr() == told["headerXdr"]
        results = [each.result.transaction_hash.hash.hex() for each in meta.v2.tx_processing]
        assert results == [each.hash for each in ledger.transactions]
    tip = (await rpc(http, "getLatestLedger"))["result"]
    assert tip["metadataXdr"] == found["ledgers"][-1]["metadataXdr"]
    assert xdr.LedgerHeader.from_xdr(tip["headerXdr"]).ledger_seq.uint32 == latest.sequence
    rest = await rpc(http, "getLedgers", pagination={"cursor": str(latest.sequence - 2)})
    assert [each["sequence"] for each in rest["result"]["ledgers"]] == [
        latest.sequence - 1,
        latest.sequence,
    ]
