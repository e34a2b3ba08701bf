"""A network without a script, and the wallets of its accounts."""

from __future__ import annotations

from collections.abc import Callable

import aiohttp
import pytest
from stellar_sdk import TransactionEnvelope

from deploy.simulator.chain import accounts
from deploy.simulator.network import Network
from tests.simulator.samples import NOW, QUIET
from tests.simulator.submission.wallet import Wallet

WalletOf = Callable[[str], Wallet]


@pytest.fixture
def network() -> Network:
    return Network(QUIET, NOW)


@pytest.fixture
def wallet_of(http: aiohttp.ClientSession, network: Network) -> WalletOf:
    return lambda name: Wallet(http, network, accounts.keypair(name))


@pytest.fixture
def alice(wallet_of: WalletOf) -> Wallet:
    return wallet_of("alice")


@pytest.fixture
def bob(wallet_of: WalletOf) -> Wallet:
    return wallet_of("bob")


@pytest.fixture
async def envelope(alice: Wallet, bob: Wallet) -> TransactionEnvelope:
    """A new stream from Alice to Bob, prepared and not yet signed."""
    values = (alice.address, bob.address, accounts.TOKEN, 1_000_000, 100)
    return await alice.prepare("create_stream", *values)
