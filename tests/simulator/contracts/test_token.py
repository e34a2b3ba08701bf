"""What tokens say on the simulated network: every form, payments, fees; by Horizon and by RPC."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from stellar_sdk import Asset, scval, xdr

from deploy.simulator.chain import accounts
from deploy.simulator.chain.operations import Proposal
from deploy.simulator.network import Network
from tests.simulator.samples import NOW, QUIET, calls, close, rpc
from tests.simulator.samples import transactions as all_of

ALICE, BOB, ADMIN = (accounts.address(name) for name in ("alice", "bob", "admin"))
ASSET = f"USDC:{ADMIN}"
pytestmark = pytest.mark.timeout(15)


@pytest.fixture
def network() -> Network:
    return Network(QUIET, NOW)


def told(event: Any) -> tuple[list[object], object]:
    values = [scval.to_native(xdr.SCVal.from_xdr(each)) for each in event.topics]
    return [getattr(each, "address", each) for each in values], event.data


@pytest.mark.parametrize(
    ("call", "topics", "data"),
    [
        ({"name": "transfer"}, ["transfer", ALICE, BOB, ASSET], "5"),
        ({"name": "transfer", "form": "plain"}, ["transfer", ALICE, BOB], "5"),
        ({"name": "mint"}, ["mint", BOB, ASSET], "5"),
        ({"name": "mint", "form": "old"}, ["mint", ADMIN, BOB, ASSET], "5"),
        ({"name": "burn", "form": "old"}, ["burn", ALICE, ASSET], "5"),
        ({"name": "clawback"}, ["clawback", ALICE, ASSET], "5"),
        ({"name": "clawback", "form": "old"}, ["clawback", ADMIN, ALICE, ASSET], "5"),
        (
            {"name": "transfer", "muxed": "77"},
            ["transfer", ALICE, BOB, ASSET],
            {"amount": "5", "to_muxed_id": 77},
        ),
        ({"name": "mint", "muxed": "a"}, ["mint", BOB, ASSET], {"amount": "5", "to_muxed_id": "a"}),
        (
            {"name": "mint", "muxed": "0xab"},
            ["mint", BOB, ASSET],
            {"amount": "5", "to_muxed_id": "ab"},
        ),
    ],
)
def test_every_form(network: Network, call: dict[str, str], topics: object, data: object) -> None:
    made = close(network, NOW, {"op": "token", "amount": "5", **call})
    [(_, event)] = [each for each in made.events() if each[1].contract_id == accounts.TOKEN]
    values = [each.decode() if isinstance(each, bytes) else each for each in told(event)[0]]
    assert (values, event.data) == (topics, data)
    assert made.operations[-1][-1].xdr == event.xdr


def test_an_unknown_token_event_fails_the_transaction(network: Network) -> None:
    for wrong in ({"name": "airdrop"}, {"name": "mint", "form": "new"}):
        network.submit(calls({"op": "token", **wrong}))
        assert not network.close(NOW).transactions[0].successful


async def test_payments_and_fees_have_the_positions_of_stellar_rpc(
    network: Network, http: aiohttp.ClientSession
) -> None:
    network.submit(Proposal(memo="rent"), Proposal(), calls({"op": "emit"}))
    ledger = network.close(NOW)
    lumens = Asset.native().contract_id(network.settings.network_passphrase)
    wanted = {"startLedger": ledger.sequence, "filters": [{"contractIds": [lumens]}]}
    found = (await rpc(http, "getEvents", **wanted))["result"]
    places = [
        (each["transactionIndex"], each["operationIndex"], each["id"][-1], each["txHash"])
        for each in found["events"]
    ]
    hashes = [each.hash for each in ledger.transactions]
    charged = [(0, 0, str(n), digest) for n, digest in enumerate(hashes)]
    assert places == [*charged, (1, 0, "0", hashes[0]), (2, 0, "0", hashes[1])]
    paged: list[Any] = []
    cursor: dict[str, Any] = {}
    for _ in places:
        begin = {k: v for k, v in wanted.items() if not cursor or k == "filters"}
        page = await rpc(http, "getEvents", **begin, pagination={"limit": 1, **cursor})
        paged += page["result"]["events"]
        cursor = {"cursor": page["result"]["cursor"]}
    assert [each["id"] for each in paged] == [each["id"] for each in found["events"]]
    assert not any(e.name == "fee" for t in all_of(network) for _, e in t.events())
