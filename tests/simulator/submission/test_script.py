"""Submitted transactions beside the script of a busy network."""

from __future__ import annotations

import pytest

from deploy.simulator.network import Network
from deploy.simulator.settings import SimulatorSettings
from deploy.simulator.submission.submissions import RESERVED_SECONDS
from tests.simulator.samples import NOW
from tests.simulator.submission.test_queue import creation, status
from tests.simulator.submission.wallet import Wallet


@pytest.fixture
def network() -> Network:
    return Network(SimulatorSettings(close_seconds=0), NOW)


async def test_the_script_changes_its_own_streams_only(
    alice: Wallet, bob: Wallet, network: Network
) -> None:
    now = network.chain.latest.closed_at
    before = set(network.contract.state.streams)
    assert await status(alice, await creation(alice, bob, 10**9)) == "PENDING"
    network.close(now + 1)
    streams = dict(network.contract.state.streams)
    created = min(set(streams) - before, key=int)  # submitted transactions come first
    made = streams[created]
    assert (made.sender, made.recipient) == (alice.address, bob.address)
    for n in range(2, 2 * RESERVED_SECONDS):
        network.close(now + n)
    later = network.contract.state.streams
    assert later[created] == made
    assert any(later[number] != each for number, each in streams.items()), "it goes on elsewhere"


async def test_the_script_takes_no_id_while_a_client_creates_a_stream(
    alice: Wallet, bob: Wallet, network: Network
) -> None:
    """The id of the new stream is in the footprint of the transaction."""
    envelope = await creation(alice, bob)
    now, count = network.chain.latest.closed_at, len(network.contract.state.streams)
    for n in range(1, RESERVED_SECONDS // 2):
        network.close(now + n)
    assert len(network.contract.state.streams) == count
    assert await status(alice, envelope) == "PENDING"
    network.close(now + RESERVED_SECONDS // 2)
    assert len(network.contract.state.streams) == count + 1
    for n in range(RESERVED_SECONDS // 2, RESERVED_SECONDS):
        network.close(now + n)
    assert len(network.contract.state.streams) > count + 1, "it goes on at once"
