"""getLedgerEntries of the simulated RPC, as stellar-rpc answers it."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from stellar_sdk import scval, xdr

from deploy.simulator.chain import accounts
from deploy.simulator.chain.entries import entry_key
from deploy.simulator.chain.storage_history import LIFETIME
from deploy.simulator.chain.values import to_scval
from deploy.simulator.contracts.storage import INSTANCE_KEY, stream_key
from deploy.simulator.network import Network
from tests.simulator.samples import CREATE, NOW, QUIET, close, rpc

pytestmark = pytest.mark.timeout(15)


@pytest.fixture
def network() -> Network:
    made = Network(QUIET, NOW)
    close(made, NOW, CREATE | {"duration": 100})
    close(made, NOW + 10, {"op": "withdraw", "streamId": "1"})
    return made


def key_of(stream_id: str) -> str:
    return entry_key(accounts.STREAMS, to_scval(stream_key(stream_id))).to_xdr()


def instance_of(contract: str) -> str:
    return entry_key(contract, INSTANCE_KEY).to_xdr()


async def entries(http: aiohttp.ClientSession, *keys: str) -> dict[str, Any]:
    answer = await rpc(http, "getLedgerEntries", keys=list(keys))
    result: dict[str, Any] = answer["result"]
    return result


def native(value: xdr.SCVal) -> Any:
    return scval.to_native(value)


def value_of(entry: dict[str, Any]) -> xdr.SCVal:
    data = xdr.LedgerEntryData.from_xdr(entry["xdr"]).contract_data
    assert data
    return data.val


async def test_a_stream_is_there_as_of_the_last_ledger(
    http: aiohttp.ClientSession, network: Network
) -> None:
    latest = network.chain.latest.sequence
    result = await entries(http, key_of("2"), key_of("1"))
    [entry] = result["entries"]
    assert result["latestLedger"] == latest
    assert entry | {"xdr": ""} == {
        "key": key_of("1"),
        "xdr": "",
        "extXdr": "AAAAAA==",
        "lastModifiedLedgerSeq": latest,
        "liveUntilLedgerSeq": latest + LIFETIME,
    }
    stored = native(value_of(entry))
    assert (stored["withdrawn_amount"], stored["status"]) == (99500, ["Active"])


async def test_a_server_that_lags_has_the_state_of_its_last_ledger(
    http: aiohttp.ClientSession, network: Network
) -> None:
    await http.post("/sim/faults", json={"kind": "lag", "surface": "rpc", "after": 1})
    result = await entries(http, key_of("1"))
    assert result["latestLedger"] == network.chain.latest.sequence - 1
    stored = native(value_of(result["entries"][0]))
    assert stored["withdrawn_amount"] == 0


async def test_the_instances_have_the_counter_and_the_metadata(
    http: aiohttp.ClientSession,
) -> None:
    result = await entries(http, instance_of(accounts.STREAMS), instance_of(accounts.TOKEN))
    contract, token = (value_of(each).instance for each in result["entries"])
    assert contract
    assert contract.storage
    assert scval.to_native(contract.storage.sc_map[1].val) == 1
    assert token
    assert token.storage
    metadata = native(token.storage.sc_map[0].val)
    assert (metadata["decimal"], metadata["symbol"]) == (7, "USDC")


async def test_an_archived_entry_lives_until_ledger_0(
    http: aiohttp.ClientSession, network: Network
) -> None:
    network.storage.archive(key_of("1"), network.chain.latest.sequence)
    [entry] = (await entries(http, key_of("1")))["entries"]
    assert entry["liveUntilLedgerSeq"] == 0


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([instance_of(accounts.TOKEN)] * 201, "key count (201) exceeds maximum supported (200)"),
        (["nonsense"], "cannot unmarshal key value nonsense at index 0"),
        (
            [
                xdr.LedgerKey(
                    xdr.LedgerEntryType.TTL, ttl=xdr.LedgerKeyTtl(xdr.Hash(bytes(32)))
                ).to_xdr()
            ],
            "ledger ttl entries cannot be queried directly",
        ),
    ],
)
async def test_wrong_keys(http: aiohttp.ClientSession, keys: list[str], message: str) -> None:
    answer = await rpc(http, "getLedgerEntries", keys=keys)
    assert answer["error"] == {"code": -32602, "message": message}
