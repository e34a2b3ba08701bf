"""Every fault of Horizon: its kind in the metric, and that it loses or duplicates no event."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from deploy.simulator.chain.operations import Operation, Proposal
from services.indexer.sources.horizon import history as history_module
from services.indexer.sources.horizon.source import HorizonSource
from shared.chain.errors import FatalSourceError, SourceError
from shared.domain.position import toid
from tests.indexer.simulated import Read, Sim, simulated
from tests.indexer.sources.horizon.test_source_odd import until_error

pytestmark = pytest.mark.timeout(20)
START = toid(3_700_000)


def horizon(sim: Sim, fault: str) -> HorizonSource:
    """A source for this fault. Only faults that end by its time limit need a short one."""
    return sim.horizon(seconds=3 if fault in ("hang", "stall") else 10)


@pytest.fixture
async def sim() -> AsyncIterator[Sim]:
    async with simulated() as made:
        yield made


STREAM = [
    ({"kind": "drop"}, "dropped"),
    ({"kind": "drop", "after": 5}, "dropped"),
    ({"kind": "cut", "after": 4}, "dropped"),
    ({"kind": "429"}, "status_429"),
    ({"kind": "429", "retryAfter": 7}, "status_429"),
    ({"kind": "503"}, "status_503"),
    ({"kind": "504"}, "status_504"),
    ({"kind": "malformed"}, "malformed"),
    ({"kind": "malformed", "after": 6}, "malformed"),
    ({"kind": "error", "after": 3}, "in_band"),
    ({"kind": "byebye"}, None),
    ({"kind": "byebye", "after": 3}, None),
    ({"kind": "hang"}, "unreachable"),
    ({"kind": "stall", "after": 2}, "dropped"),
    ({"kind": "slow", "seconds": 0.0}, None),
    ({"kind": "corrupt_meta"}, "unproved"),
    ({"kind": "no_meta", "times": 3}, None),
]


@pytest.mark.parametrize(
    ("fault", "kind"),
    STREAM,
    ids=lambda v: "-".join(map(str, v.values())) if isinstance(v, dict) else None,
)
async def test_faults_of_the_stream_have_their_kind_and_lose_nothing(
    sim: Sim, fault: dict[str, Any], kind: str | None
) -> None:
    source = horizon(sim, fault["kind"])
    cursor = await source.start("earliest")
    await sim.arm(**fault)
    read = await Read(cursor).up_to(sim.tip, source)
    assert read.kinds == ([kind] if kind else [])
    assert read.positions == sim.positions()
    assert not await sim.unspent()
    if "retryAfter" in fault:
        assert read.errors[0].retry_after == 7
    elif read.errors:
        assert read.errors[0].retry_after is None


ROOT = [
    ("429", "status_429"),
    ("503", "status_503"),
    ("504", "status_504"),
    ("hang", "unreachable"),
    ("drop", "unreachable"),
    ("cut", "dropped"),
    ("malformed", "malformed"),
    ("slow", None),
]


@pytest.mark.parametrize(("fault", "kind"), ROOT)
async def test_faults_of_the_root_have_their_kind_and_lose_nothing(
    sim: Sim, fault: str, kind: str | None
) -> None:
    twice = 2 if fault == "drop" else 1  # aiohttp itself tries a GET twice
    source = horizon(sim, fault)
    await sim.arm(fault, surface="root", times=twice, seconds=0)
    if kind:
        with pytest.raises(SourceError) as caught:
            await source.start("latest")
        assert caught.value.kind == kind
    assert await source.start("latest") > sim.tip
    await sim.arm(fault, surface="root", times=twice, seconds=0)
    read = await Read(START).up_to(sim.tip, horizon(sim, fault))
    assert read.kinds == ([kind] if kind else [])
    assert read.positions == sim.positions()


@pytest.mark.timeout(60)
async def test_a_list_that_takes_too_long_is_requested_in_parts(
    sim: Sim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same list would take too long again, and nothing would ever be read."""
    monkeypatch.setattr(history_module, "PAGE", 12)  # each list that is too long costs the limit
    await sim.arm("slow", surface="ledgers", times=1000, seconds=0.015)
    read = await Read(START).up_to(sim.tip, sim.horizon(seconds=3))
    assert set(read.kinds) == {"dropped"}
    assert read.positions == sim.positions()


async def test_good_transactions_before_a_bad_one_are_kept(sim: Sim) -> None:
    """Of one chunk of the stream; so the good transactions get through even if the fault stays."""
    await sim.arm("malformed", after=5, times=1)
    batches = [b async for b in until_error(sim.horizon(), START, "malformed")]
    fifth = [t.toid for t in sim.network.chain.after(START) if t.successful][4]
    assert batches[-1].cursor == fifth


@pytest.mark.parametrize("rpc", [True, False])
async def test_metas_that_horizon_leaves_out_come_from_rpc(sim: Sim, rpc: bool) -> None:
    await sim.arm("no_meta", surface="stream", times=0 if rpc else 1)
    if not rpc:
        with pytest.raises(FatalSourceError, match=r"meta_missing: .*: set RPC_URL"):
            await Read(START).up_to(sim.tip, sim.horizon(rpc=False))
        return
    await sim.arm("no_meta", surface="stream", times=1000)
    await sim.arm("no_meta", surface="getTransaction", times=4)
    for kind in ("429", "503", "504", "drop", "malformed", "error"):  # three of them use up a meta
        await sim.arm(kind, surface="getTransaction")
    read = await Read(START).up_to(sim.tip, sim.horizon())
    assert sorted(read.kinds) == [
        *("malformed", "meta_missing", "rpc_timeout"),
        *("status_429", "status_503", "status_504", "unreachable"),
    ]
    assert read.positions == sim.positions()


@pytest.mark.parametrize("surface", ["stream", "getTransaction"])
async def test_events_that_stay_altered_stop_the_indexer(sim: Sim, surface: str) -> None:
    if surface == "getTransaction":
        await sim.arm("no_meta", times=1000)
    await sim.arm("corrupt_meta", surface=surface, times=1000)
    read = Read(START)
    with pytest.raises(
        FatalSourceError, match=r"unproved: the events of transaction .* do not match"
    ):
        await read.up_to(sim.tip, sim.horizon())
    assert read.kinds == ["unproved"]
    altered = next(t for t in sim.network.chain.after(0) if t.operations)
    assert read.positions == sim.positions()[: sim.positions().index(f"{altered.toid}-0")]


async def test_damage_in_transit_is_read_again_however_often(sim: Sim) -> None:
    source = sim.horizon()
    read = Read(START)
    for _ in range(4):
        sim.network.submit(Proposal(operations=(Operation(op="emit"),)))
        sim.close()
        await sim.arm("corrupt_meta")
        await read.up_to(sim.tip, source)
    assert read.positions == sim.positions()
    assert read.kinds == ["unproved"] * 4


async def test_unknown_xdr_is_read_twice_and_becomes_a_dead_letter(sim: Sim) -> None:
    target = sim.network
    target.submit(Proposal(operations=(Operation(op="emit"),), future="unknown_type"))
    target.submit(Proposal(operations=(Operation(op="emit"),), future="unknown_type"))
    target.submit(Proposal(operations=(Operation(op="emit"),)))
    cursor = sim.tip
    sim.close()
    read = await Read(cursor).up_to(sim.tip, sim.horizon())
    assert read.kinds == ["undecodable"] * 2
    bad, worse, good, *_ = sim.network.chain.latest.transactions
    letters = [letter for batch in read.batches for letter in batch.dead]
    assert [letter["txHash"] for letter in letters] == [bad.hash, worse.hash]
    assert [letter["xdr"] for letter in letters] == [bad.meta, worse.meta]
    assert read.positions[0] == f"{good.toid}-0"
    assert read.positions == [p for p in sim.positions(cursor) if int(p.split("-")[0]) >= good.toid]
