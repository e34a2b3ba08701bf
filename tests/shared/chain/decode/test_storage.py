"""The schedule of a stream, read from the contract's storage in the meta of its creation."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.simulator.chain import accounts
from deploy.simulator.chain.operations import Operation, Proposal
from deploy.simulator.chain.values import to_scval
from deploy.simulator.contracts.record import Record
from deploy.simulator.contracts.storage import stream_value
from shared.chain.decode.storage import schedule_in
from shared.chain.xdr import ScVal, Symbol, decode_scval
from shared.domain.schedule import LINEAR, UNKNOWN, Schedule, ScheduleKind, Step
from tests.indexer.simulated import NOW, Read, Sim, simulated

pytestmark = pytest.mark.timeout(30)


def record(cliff: int | None = None) -> dict[ScVal, ScVal]:
    """A record as the contract stores it."""
    stream = Record(
        id="7", token=accounts.TOKEN, rate=5, deposited=1000, start=100, anchor=100, cliff=cliff,
        sender=accounts.address("alice"), recipient=accounts.address("bob"),
    )  # fmt: skip
    decoded = decode_scval(to_scval(stream_value(stream)).to_xdr_bytes())
    assert isinstance(decoded, dict)
    return decoded


def later(**fields: ScVal) -> dict[ScVal, ScVal]:
    """A record of a later version of the contract."""
    return record(cliff=200) | {"cliff_time": None} | fields


def step(time: ScVal, amount: ScVal) -> dict[ScVal, ScVal]:
    return {Symbol("unlock_time"): time, Symbol("unlock_amount"): amount}


STEPS = Schedule(kind=ScheduleKind.STEPS, steps=(Step(5, 10), Step(9, 20)), last_time=9)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (record(), LINEAR),
        (record(cliff=200), Schedule(kind=ScheduleKind.CLIFF, cliff_time=200)),
        (later(), LINEAR),
        (later(schedule=["StepTranches", [step(5, 10), step(9, 20)]]), STEPS),
        (
            later(schedule=["HybridCliffLinear", 300, 40]),
            Schedule(kind=ScheduleKind.CLIFF_AMOUNT, cliff_time=300, cliff_amount=40),
        ),
        (later(is_allowance_based=True), Schedule(kind=ScheduleKind.ALLOWANCE)),
    ],
)
def test_the_schedule_of_a_record(stored: dict[ScVal, ScVal], expected: Schedule) -> None:
    assert schedule_in(stored) == expected


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {k: v for k, v in record().items() if k != "paused_at"},
        record() | {"milestones": []},
        later(schedule=["Quadratic"]),
        later(schedule="Linear"),
        later(schedule=None),
        later(schedule=["StepTranches", [step(5, 10), {}]]),
        later(schedule=["StepTranches", [step(1 << 63, 10)]]),
        later(schedule=["StepTranches", [step(True, 10)]]),
        later(schedule=["HybridCliffLinear", "soon", 40]),
        later(schedule=["HybridCliffLinear", 300, 40], cliff_time=200),
        later(cliff_time=b"soon"),
        later(cliff_time=1 << 63),
    ],
)
def test_a_record_that_is_not_understood_has_an_unknown_schedule(
    stored: dict[ScVal, ScVal],
) -> None:
    assert schedule_in(stored) == UNKNOWN


async def created(sim: Sim, source: Any, start: int) -> list[dict[str, Any]]:
    read = await Read(start).up_to(sim.tip, source)
    events = [e for batch in read.batches for e in batch.events if e.type == "stream.created"]
    return [dict(each.facts) for each in events]


@pytest.mark.io
@pytest.mark.parametrize("meta", [3, 4])
@pytest.mark.parametrize("name", ["horizon", "rpc"])
async def test_the_meta_of_a_creation_tells_its_schedule(name: str, meta: int) -> None:
    calls = [Operation(op="create", amount=1000, duration=50, cliff=cliff) for cliff in (0, 20)]
    async with simulated(0, streams=0, fee_bps=0) as sim:
        start = sim.tip
        sim.network.submit(Proposal(operations=(calls[0],), meta=meta))
        sim.network.submit(Proposal(operations=(calls[1],), meta=meta))
        sim.network.submit(Proposal(operations=tuple(calls), meta=meta))  # called by a router
        sim.close()
        source = sim.rpc() if name == "rpc" else sim.horizon(rpc=False)
        found = await created(sim, source, start)
    cliff = {"kind": "cliff", "cliffTime": NOW + 5 + 20}
    assert [each.get("schedule") for each in found] == [None, cliff, None, cliff]


@pytest.mark.io
async def test_without_a_meta_the_schedule_is_unknown() -> None:
    """RPC has trimmed the transaction, so only its event is left."""
    async with simulated(0, streams=0) as sim:
        start = sim.tip
        sim.network.submit(Proposal(operations=(Operation(op="create", amount=1000, duration=50),)))
        sim.close()
        sim.network.chain.transaction = lambda _: None  # type: ignore[method-assign,assignment]
        [facts] = await created(sim, sim.rpc(), start)
    assert facts["schedule"] == {"kind": "unknown"}
