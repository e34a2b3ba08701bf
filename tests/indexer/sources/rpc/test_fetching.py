"""Transactions that are close together come with one call; whatever it lacks is fetched alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from deploy.simulator.chain import accounts
from deploy.simulator.chain.operations import Operation, Proposal
from services.indexer.sources.rpc.fetching import wanted_share
from services.indexer.sources.rpc.pages import TransactionEvents
from services.indexer.sources.rpc.source import RpcSource
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.errors import FatalSourceError, SourceError
from shared.chain.rpc import NO_SUCH_METHOD, RpcClient, RpcError
from shared.domain.position import toid
from tests.indexer.simulated import PASSPHRASE, Read, Sim, simulated

pytestmark = pytest.mark.timeout(30)
COUNT = 260

Alter = Callable[[str, dict[str, Any]], dict[str, Any]]


@pytest.fixture
async def sim() -> AsyncIterator[Sim]:
    """A network whose last ledger has many transactions of the contract, side by side."""
    async with simulated(ledgers=2) as made:
        for _ in range(COUNT):
            made.network.submit(Proposal(operations=(Operation(op="emit"),)))
        made.close()
        yield made


class SpiedRpc(RpcClient):
    """Notes the calls; `alter` may change an answer or raise an error."""

    def __init__(self, sim: Sim, alter: Alter = lambda _method, answer: answer) -> None:
        super().__init__(sim.session, f"{sim.url}/rpc")
        self.calls: list[str] = []
        self.limits: list[int] = []
        self._alter = alter

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        self.calls.append(method)
        if method == "getTransactions":
            self.limits.append(params["pagination"]["limit"])
        return self._alter(method, await super().call(method, **params))


def source_of(rpc: RpcClient) -> RpcSource:
    contracts = WatchedContracts.of(accounts.STREAMS)
    return RpcSource(rpc, passphrase=PASSPHRASE, contracts=contracts, poll_seconds=0.01)


async def read(sim: Sim, rpc: RpcClient) -> Read:
    """Read the last ledger. Every event must come once, in order and proved."""
    start = toid(sim.network.chain.latest.sequence)
    found = await Read(start).up_to(sim.tip, source_of(rpc))
    assert found.positions == sim.positions(start)
    events = [each for batch in found.batches for each in batch.events]
    assert {each.provenance and each.provenance.verified for each in events} == {True}
    assert len(events) >= COUNT
    return found


async def test_neighbours_need_one_call_for_each_page(sim: Sim) -> None:
    rpc = SpiedRpc(sim)
    await read(sim, rpc)
    assert rpc.calls.count("getTransactions") == 2
    assert "getTransaction" not in rpc.calls


async def test_what_a_page_lacks_is_fetched_alone(sim: Sim) -> None:
    def alter(method: str, answer: dict[str, Any]) -> dict[str, Any]:
        if method == "getTransactions":
            listed = answer["transactions"]
            del listed[3]["resultMetaXdr"]
            listed[5]["status"] = "NOT_FOUND"  # a page never says so; no event may lose its proof
            listed[7]["ledger"] -= 1
            listed[9] = "text"
            listed[10]["txHash"] = [1]
            del listed[11]
        return answer

    rpc = SpiedRpc(sim, alter)
    await read(sim, rpc)
    assert rpc.calls.count("getTransaction") == 6 * rpc.calls.count("getTransactions")


async def test_a_server_without_the_method_is_asked_once(sim: Sim) -> None:
    def alter(method: str, answer: dict[str, Any]) -> dict[str, Any]:
        if method == "getTransactions":
            raise RpcError(method, NO_SUCH_METHOD, "method not found")
        return answer

    rpc = SpiedRpc(sim, alter)
    await read(sim, rpc)
    assert rpc.calls.count("getTransactions") == 1
    assert rpc.calls.count("getTransaction") >= COUNT


async def test_after_a_page_that_is_too_large_the_next_one_is_smaller(sim: Sim) -> None:
    def alter(method: str, answer: dict[str, Any]) -> dict[str, Any]:
        if method == "getTransactions" and len(rpc.limits) == 1:
            raise SourceError("malformed", "the answer has too many bytes", is_too_large=True)
        return answer

    rpc = SpiedRpc(sim, alter)
    await read(sim, rpc)
    assert rpc.limits == [200, 100]


async def test_a_server_that_asks_to_wait_gets_no_further_call(sim: Sim) -> None:
    def alter(method: str, answer: dict[str, Any]) -> dict[str, Any]:
        if method == "getTransactions":
            raise SourceError("status_429", "too many requests", 7.0)
        return answer

    rpc = SpiedRpc(sim, alter)
    with pytest.raises(SourceError, match="status_429"):
        await anext(source_of(rpc).batches(toid(sim.network.chain.latest.sequence)))
    assert rpc.calls[-1] == "getTransactions"
    assert "getTransaction" not in rpc.calls


async def test_a_server_that_limits_only_pages_does_not_stop_the_reading(sim: Sim) -> None:
    def alter(method: str, answer: dict[str, Any]) -> dict[str, Any]:
        if method == "getTransactions":
            raise SourceError("status_504", "too slow", 7.0, is_too_large=True)
        return answer

    rpc = SpiedRpc(sim, alter)
    found = await read(sim, rpc)
    assert {error.retry_after for error in found.errors} == {7.0}
    assert rpc.limits == [200 >> n for n in range(len(rpc.limits))]
    assert rpc.calls.count("getTransaction") >= COUNT


async def test_after_a_failure_the_rest_is_not_asked_for(sim: Sim) -> None:
    def alter(method: str, answer: dict[str, Any]) -> dict[str, Any]:
        if method.startswith("getTransaction"):
            raise SourceError("status_503", "closed")
        return answer

    rpc = SpiedRpc(sim, alter)
    with pytest.raises(SourceError, match="status_503"):
        await anext(source_of(rpc).batches(toid(sim.network.chain.latest.sequence)))
    assert rpc.calls.count("getTransaction") == 50


async def test_an_altered_meta_in_a_page_is_refused(sim: Sim) -> None:
    await sim.arm("corrupt_meta", surface="getTransaction", times=COUNT)
    with pytest.raises(FatalSourceError, match="do not match"):
        await read(sim, SpiedRpc(sim))


def at(*places: tuple[int, int]) -> list[TransactionEvents]:
    return [TransactionEvents(toid(ledger, n), "", "", {}) for ledger, n in places]


def test_the_share_is_estimated_from_the_numbers_of_the_transactions() -> None:
    assert wanted_share(at(*((7, n) for n in range(1, 41)))) == pytest.approx(40 / 41)
    assert wanted_share(at(*((7, n) for n in range(161, 201)))) > 0.8  # in between, all are wanted
    assert wanted_share(at(*((ledger, 150) for ledger in range(7, 27)))) < 0.01
    assert wanted_share(at(*((7, n) for n in range(10, 401, 10)))) == pytest.approx(0.1, rel=0.1)
