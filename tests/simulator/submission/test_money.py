"""Properties of any sequence of submitted calls: no money is made or lost, and simulations hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stellar_sdk import Account, TransactionBuilder, scval

from deploy.simulator.chain import accounts
from deploy.simulator.chain.holdings import Holding
from deploy.simulator.network import Network
from deploy.simulator.submission.envelope import Submission, read_submission
from deploy.simulator.submission.queue import Pending
from deploy.simulator.submission.simulation import Simulation, SimulationError, Simulator
from deploy.simulator.submission.validity import Limits
from tests.simulator.samples import NOW, QUIET
from tests.simulator.submission.wallet import FUNCTIONS

pytestmark = pytest.mark.timeout(60)
NAMES = ("alice", "bob", "treasury")
TOKENS = (accounts.TOKEN, accounts.LUMENS, accounts.GOLD)
AMOUNTS = st.one_of(st.integers(-1, 10**6), st.just(10**15), st.just(10**18))
ACTIONS = ("top_up_stream", "withdraw", "pause_stream", "resume_stream", "cancel_stream")
party, stream = st.sampled_from(NAMES), st.integers(0, 3)
creations = st.tuples(
    st.just("create_stream"),
    party,
    st.tuples(party, st.sampled_from(TOKENS), AMOUNTS, st.integers(0, 50)),
)
changes = st.tuples(st.sampled_from(ACTIONS), party, st.tuples(stream, AMOUNTS))
steps = st.tuples(st.one_of(creations, changes), st.integers(0, 40))


def envelope_of(network: Network, function: str, name: str, values: Sequence[Any]) -> Any:
    own = accounts.address(name)
    arguments = [scval.to_address(own)]
    if function == "create_stream":
        to, token, amount, duration = values
        arguments += [scval.to_address(accounts.address(to)), scval.to_address(token)]
        arguments += [scval.to_int128(amount), scval.to_uint64(duration)]
    else:
        arguments += [scval.to_uint64(values[0])]
        arguments += [scval.to_int128(values[1])] if function == "top_up_stream" else []
    assert len(arguments) == len(FUNCTIONS[function])
    sequence = network.submissions.state.holdings.sequence(own)
    builder = TransactionBuilder(Account(own, sequence), network.settings.network_passphrase)
    builder.add_time_bounds(0, 0)
    builder.append_invoke_contract_function_op(accounts.STREAMS, function, arguments)
    return builder.build()


def submission_of(network: Network, envelope: Any) -> Submission:
    return read_submission(envelope.to_xdr(), network.settings.network_passphrase)


def simulate(network: Network, envelope: Any, now: int) -> Simulation | None:
    ledger, state = network.chain.latest.sequence, network.submissions.state
    try:
        return Simulator(state, ledger, now, 30).simulate(submission_of(network, envelope))
    except SimulationError:
        return None


def amounts(network: Network) -> dict[Holding, int]:
    changes = network.submissions.state.holdings._amounts
    return {each: changed[-1].value for each, changed in changes.items()}


def total(network: Network, token: str) -> int:
    return sum(value for each, value in amounts(network).items() if each.token == token)


@settings(max_examples=10, deadline=None)
@given(st.lists(steps, max_size=6))
def test_money_moves_and_simulations_hold(script: list[Any]) -> None:
    """If the time of the ledger is that of the simulation, the call does what was simulated."""
    network = Network(QUIET, NOW)
    first = {token: total(network, token) for token in TOKENS}
    fees, now = 0, NOW
    for (function, name, values), seconds in script:
        now += seconds
        before = amounts(network), dict(network.contract.state.streams)
        envelope = envelope_of(network, function, name, values)
        simulation = simulate(network, envelope, now)
        assert (amounts(network), network.contract.state.streams) == before
        if simulation is None:
            continue
        envelope.transaction.soroban_data = simulation.data
        envelope.transaction.operations[0].auth = list(simulation.authorization)
        envelope.transaction.fee += simulation.data.resource_fee.int64
        envelope.sign(accounts.keypair(name))
        network.send(Pending(submission_of(network, envelope)), Limits(NOW, NOW, 100))
        [done] = network.close(now).transactions
        assert done.successful
        told = [each.event.to_xdr() for each in simulation.events[1:-1]]
        assert [event.xdr for _, event in done.events()] == told
        fees += done.fee_charged
        check(network, first, fees)


def check(network: Network, first: dict[str, int], fees: int) -> None:
    """Only fees leave the accounts, and the contract has what its streams hold."""
    held = amounts(network)
    for token in TOKENS:
        lost = first[token] - total(network, token)
        assert lost == (fees if token == accounts.LUMENS else 0)
        streams = network.contract.state.streams.values()
        owed = sum(each.held for each in streams if each.token == token)
        assert held.get(Holding(token, accounts.STREAMS), 0) == owed
