"""The simulated stream contract: what its calls do, emit and refuse, and how they are written."""

from __future__ import annotations

import pytest

from deploy.simulator.chain import accounts
from deploy.simulator.chain.operations import NAMES, Operation, read_operation
from deploy.simulator.contracts.record import CallRefusedError, Status
from deploy.simulator.contracts.stream_contract import StreamContract
from deploy.simulator.network import Network as Simulation
from tests.simulator.samples import NOW, QUIET, close, names


def test_lifecycle_by_hand() -> None:
    network = Simulation(QUIET, NOW)
    stream = {"streamId": "1"}
    made = close(network, NOW, {"op": "create", "amount": "1000000", "duration": 995})
    assert names(made) == ["fee_collected", "stream_created"]
    assert names(made, accounts.TOKEN) == ["transfer", "transfer"]
    assert names(close(network, NOW + 10, {"op": "withdraw"} | stream)) == ["tokens_withdrawn"]
    assert names(close(network, NOW + 20, {"op": "pause"} | stream)) == ["stream_paused"]
    refused = close(network, NOW + 30, {"op": "withdraw"} | stream)
    assert not refused.successful
    assert names(refused) == []
    assert names(close(network, NOW + 30, {"op": "resume"} | stream)) == ["stream_resumed"]
    last = close(network, NOW + 2000, {"op": "withdraw"} | stream)
    assert names(last) == ["tokens_withdrawn", "stream_completed"]
    assert network.contract.stream("1").status is Status.COMPLETED
    assert network.contract.state.held == 0


def test_one_call_of_a_batch_refused_refuses_all() -> None:
    network = Simulation(QUIET, NOW)
    create = {"op": "create", "amount": 10**6, "duration": 100}
    batch = close(network, NOW, create, create | {"sender": "carol", "recipient": "carol"})
    assert names(batch) == ["fee_collected", "stream_created"] * 2
    failed = close(network, NOW + 1, {"op": "pause", "streamId": "1"}, {"op": "fail"})
    assert not failed.successful
    assert network.contract.stream("1").status is Status.ACTIVE


def test_functions_of_the_upcoming_contract() -> None:
    network = Simulation(QUIET, NOW)
    close(network, NOW, {"op": "create", "amount": 10**6, "duration": 1000})
    handed = close(
        network, NOW + 10, {"op": "transfer_recipient", "streamId": "1", "recipient": "dave"}
    )
    assert names(handed) == ["recipient_transferred"]
    assert network.contract.stream("1").recipient == accounts.address("dave")
    rate = close(network, NOW + 20, {"op": "modify_rate", "streamId": "1", "rate": 5})
    assert names(rate) == ["stream_rate_modified"]
    new = close(network, NOW + 30, {"op": "emit", "name": "dispute_requested", "streamId": "1"})
    assert names(new) == ["dispute_requested"]
    fee = close(network, NOW, {"op": "set_fee", "feeBps": 0}, {"op": "transfer_admin"})
    assert names(fee) == ["fee_config_updated", "admin_transferred"]
    free = close(network, NOW + 40, {"op": "top_up", "streamId": "1", "amount": 5})
    assert names(free) == ["stream_topped_up"]
    state = network.contract.state
    assert sum(each.held for each in state.streams.values()) == state.held


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"op": "steal"}, "op must be"),
        ({"op": "create", "sender": "nobody"}, "nobody"),
        ({"op": "create", "amount": 1.5}, "amount"),
        ({"op": "pause", "streamId": "x"}, "streamId"),
        ({"op": "pause", "stream": "1"}, "unknown field"),
    ],
)
def test_operations_are_checked(body: dict[str, object], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        read_operation(body)


def test_every_operation_has_its_call() -> None:
    contract = StreamContract(accounts.STREAMS, accounts.TOKEN, 0)
    for name in sorted(NAMES):
        try:
            contract.call([Operation(op=name, stream_id="1", amount=10, duration=5)], NOW)
        except CallRefusedError:
            continue
