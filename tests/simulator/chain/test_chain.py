"""The simulated chain by itself: history, cursors, resets, time, and replayed recordings."""

from __future__ import annotations

import base64

import pytest
from stellar_sdk import Address

from deploy.simulator.network import Network as Simulation
from deploy.simulator.network import start
from deploy.simulator.replay import passes
from deploy.simulator.settings import SimulatorSettings
from tests.simulator.samples import NOW, QUIET, transactions
from tests.support.recordings import Recording


def test_history_is_bounded_and_recorded_events_are_not() -> None:
    network = Simulation(SimulatorSettings(history_ledgers=10), NOW)
    first = network.chain.latest.transactions[0]
    for n in range(15):
        network.close(NOW + n)
    assert network.chain.latest.sequence - network.chain.oldest.sequence == 9
    assert network.chain.transaction(first.hash) is None
    assert network.events[0].position.ledger == 3_700_000
    tip = network.chain.latest.transactions[-1]
    assert network.chain.transaction(tip.hash) is tip
    assert next(iter(network.chain.after(0))).ledger == network.chain.oldest.sequence


def test_cursors() -> None:
    network = Simulation(SimulatorSettings(history_ledgers=50), NOW)
    for n in range(5):
        network.close(NOW + n)
    everything = list(network.chain.after(0))
    for n, transaction in enumerate(everything):
        assert list(network.chain.after(transaction.toid)) == everything[n + 1 :]
        assert list(network.chain.before(transaction.toid)) == everything[:n][::-1]
    assert list(network.chain.after(1 << 62)) == []


def test_reset_starts_another_chain_under_the_same_name() -> None:
    network = Simulation(SimulatorSettings(), NOW)
    first = network.chain.latest
    woken: list[int] = []
    network.listeners.add(lambda: woken.append(network.chain.latest.sequence))
    network.reset(NOW + 5)
    network.close(NOW + 10)
    assert woken == [2, 3]
    assert network.chain.oldest.previous != first.previous
    assert {each.position.ledger for each in network.events} <= {2, 3}
    network.reset(NOW + 15, first.sequence)
    assert network.chain.latest.hash != first.hash


def test_time_never_runs_back() -> None:
    network = Simulation(QUIET, NOW)
    assert network.close(NOW - 100).closed_at == NOW


def test_replay_of_a_recording(recorded: Recording) -> None:
    told = recorded.transactions()
    sets = passes(told)
    assert sum(map(len, sets)) == len(told)
    for each in sets:
        network = Simulation(QUIET, NOW)
        network.replay(each)
        places = [(t.ledger, t.order) for t in transactions(network)]
        assert places == [(v["ledger"], v["tx_order"]) for v in each]
        events = [(str(r.position), r.tx_hash, r.event) for r in network.events]
        wanted = [(v["tx_hash"], e) for v in each for e in v["events"]]
        for (position, tx_hash, event), (vector_hash, vector) in zip(events, wanted, strict=True):
            toid, n = vector["id"].split("-")
            assert position == f"{int(toid)}-{int(n)}"
            assert tx_hash == vector_hash
            assert event.contract_id == vector["contract"]
            assert list(event.topics) == vector["topic_xdr"]
            assert event.value == vector["value_xdr"]
        for transaction in transactions(network):
            envelope = base64.b64decode(transaction.signed.envelope)
            for _, event in transaction.events():
                assert Address(event.contract_id).key in envelope


def test_replay_as_a_setting(recorded: Recording) -> None:
    path = str(recorded.path)
    network = start(SimulatorSettings(vectors=path, vectors_pass=1), NOW)
    assert network.chain.oldest.sequence == 2
    with pytest.raises(ValueError, match="VECTORS_PASS must be below"):
        start(SimulatorSettings(vectors=path, vectors_pass=99), NOW)
