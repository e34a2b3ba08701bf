"""The six actions, by stellar-sdk's contract client: simulated, signed, sent and followed."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from stellar_sdk import scval, xdr

from deploy.simulator.chain import accounts
from deploy.simulator.network import Network
from deploy.simulator.settings import SimulatorSettings
from tests.simulator.samples import NOW, Sim, read
from tests.simulator.submission.wallet import Wallet

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def network() -> Network:
    """A network that closes a ledger as soon as a transaction is submitted."""
    settings = SimulatorSettings(streams=0, close_seconds=0, submit_close_seconds=0.001, fee_bps=50)
    return Network(settings, NOW)


class Followed:
    """What a call promised in its simulation, what it returned, and where it is on the chain."""

    def __init__(self, promised: Any, returned: Any, answer: Any) -> None:
        self.promised, self.returned = promised, returned
        self.hash, self.ledger = answer.transaction_hash, answer.ledger


async def follow(wallet: Wallet, function: str, *values: Any) -> Followed:
    transaction = await wallet.assembled(function, *values)
    promised = transaction.result()
    returned = await transaction.sign_and_submit()
    return Followed(promised, returned, transaction.get_transaction_response)


async def names(sim: Sim, done: Followed) -> list[str]:
    """The events of the stream contract that have the transaction's hash, in its ledger."""
    events = (await sim("GET", "events"))["events"]
    found = [each for each in events if each["txHash"] == done.hash]
    assert {each["ledger"] for each in found} == {done.ledger}
    return [each["name"] for each in found]


async def test_all_actions(
    alice: Wallet, bob: Wallet, sim: Sim, network: Network, http: aiohttp.ClientSession
) -> None:
    created = await follow(
        alice, "create_stream", alice.address, bob.address, accounts.TOKEN, 10**9, 1_000_000
    )
    assert (created.promised, created.returned) == (1, 1)
    assert await names(sim, created) == ["fee_collected", "stream_created"]
    topped = await follow(alice, "top_up_stream", alice.address, 1, 10**8)
    assert topped.returned is None
    assert await names(sim, topped) == ["fee_collected", "stream_topped_up"]
    network.close(network.chain.latest.closed_at + 5)  # money accrues
    withdrawn = await follow(bob, "withdraw", bob.address, 1)
    assert withdrawn.returned >= withdrawn.promised > 0
    assert await names(sim, withdrawn) == ["tokens_withdrawn"]
    paused = await follow(alice, "pause_stream", alice.address, 1)
    assert await names(sim, paused) == ["stream_paused"]
    resumed = await follow(alice, "resume_stream", alice.address, 1)
    assert resumed.returned > network.chain.latest.closed_at
    assert await names(sim, resumed) == ["stream_resumed"]
    cancelled = await follow(alice, "cancel_stream", alice.address, 1)
    assert await names(sim, cancelled) == ["stream_cancelled"]
    [stream] = (await sim("GET", "streams"))["streams"]
    assert stream["status"] == "Cancelled"
    await _check_horizon(http, created)


async def _check_horizon(http: aiohttp.ClientSession, done: Followed) -> None:
    """Horizon and RPC show the same transaction."""
    shown = await read(http, f"/transactions/{done.hash}")
    assert (shown["ledger"], shown["successful"]) == (done.ledger, True)
    meta = xdr.TransactionMeta.from_xdr(shown["result_meta_xdr"]).v4
    assert meta
    assert meta.soroban_meta
    assert meta.soroban_meta.return_value
    assert scval.to_native(meta.soroban_meta.return_value) == done.returned
    assert len(meta.operations[0].events) == 4


async def test_functions_that_read(alice: Wallet, bob: Wallet, network: Network) -> None:
    await follow(alice, "create_stream", alice.address, bob.address, accounts.TOKEN, 1_000_000, 100)
    network.close(network.chain.latest.closed_at + 5)

    async def value(function: str, *values: Any, contract: str = accounts.STREAMS) -> Any:
        asked = await alice.assembled(function, *values, contract=contract)
        assert asked.is_read_call()
        return asked.result()

    assert await value("get_claimable_amount", 1) == 5 * 9_950
    assert await value("get_claimable_amount", 9) is None
    assert await value("is_stream_completed", 1) is False
    assert await value("balance", accounts.STREAMS, contract=accounts.TOKEN) == 995_000
    assert await value("decimals", contract=accounts.TOKEN) == 7
    assert await value("symbol", contract=accounts.GOLD) == "GOLD"
    assert await value("name", contract=accounts.LUMENS) == "native"
    assert (await value("get_fee_config"))["fee_rate_bps"] == 50
    stream = await value("get_stream", 1)
    assert (stream["deposited_amount"], stream["recipient"].address) == (995_000, bob.address)
