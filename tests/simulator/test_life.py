"""The script gives the simulated network a life: every kind of event, and money that adds up."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from deploy.simulator.chain import accounts
from deploy.simulator.network import Network as Simulation
from deploy.simulator.settings import SimulatorSettings
from tests.simulator.samples import NOW, QUIET, close, transactions

SCRIPTED = (
    "initialized",
    "fee_collected",
    "stream_created",
    "stream_topped_up",
    "tokens_withdrawn",
    "stream_completed",
    "stream_cancelled",
    "stream_paused",
    "stream_resumed",
)


def test_the_script_emits_every_kind_of_event(lived: Simulation) -> None:
    seen = Counter(each.event.name for each in lived.events)
    for name in (*SCRIPTED, "transfer"):
        assert seen[name] > 0, name
    streams = lived.contract.state.streams.values()
    assert any(s.sender == s.recipient for s in streams)
    found = list(transactions(lived))
    assert any(not t.successful for t in found)
    assert any(t.signed.inner_hash for t in found)
    assert any(t.signed.memo for t in found)
    assert any(len({e.stream_id for _, e in t.events()} - {None}) > 1 for t in found)


def test_zombie_is_resumed_and_stays_cancelled(lived: Simulation) -> None:
    """At least one stream of the script is resumed after its cancellation."""
    cancelled: set[str | None] = set()
    zombies: set[str | None] = set()
    for each in lived.events:
        if each.event.name == "stream_cancelled":
            cancelled.add(each.event.stream_id)
        elif each.event.name == "stream_resumed" and each.event.stream_id in cancelled:
            zombies.add(each.event.stream_id)
    assert zombies
    assert not any(lived.contract.stream(str(z)).active for z in zombies)


def test_money_is_conserved(lived: Simulation) -> None:
    state = lived.contract.state
    for stream in state.streams.values():
        assert 0 <= stream.withdrawn <= stream.deposited
    assert sum(each.held for each in state.streams.values()) == state.held


def test_fee_precedes_its_occasion_and_is_floored(lived: Simulation) -> None:
    ours = [each.event for each in lived.events if each.event.contract_id == accounts.STREAMS]
    for n, event in enumerate(ours):
        if event.name == "fee_collected":
            assert ours[n + 1].name in ("stream_created", "stream_topped_up")
            assert ours[n + 1].stream_id == event.stream_id
    network = Simulation(QUIET, NOW)
    made = close(network, NOW, {"op": "initialize"}, {"op": "create", "amount": 399, "duration": 1})
    data = {e.name: e.data for _, e in made.events()}
    assert data["fee_collected"]["fee_amount"] == "1"  # type: ignore[index]
    assert data["stream_created"]["deposited_amount"] == "398"  # type: ignore[index]


def test_same_seed_same_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    def tip(seed: str) -> str:
        network = Simulation(SimulatorSettings(seed=seed), NOW)
        return [network.close(NOW + n * 5) for n in range(20)][-1].hash

    first = tip("a")
    assert first != tip("b")
    monkeypatch.setattr("time.time", lambda: NOW + 0.5)  # no clock has a part in it
    assert first == tip("a")


def test_every_ledger_holds_a_transaction(lived: Simulation) -> None:
    ledgers = list(lived.chain.ledgers(0, 1 << 31))
    assert len(ledgers) == 251
    assert all(each.transactions for each in ledgers)
    for before, after in pairwise(ledgers):
        assert after.previous == before.hash
        assert after.closed_at >= before.closed_at
    assert any(a.closed_at == b.closed_at for a, b in pairwise(ledgers))
