"""Reconciliation: a difference between the journal and the other source is found and named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from deploy.simulator.chain.operations import Operation, Proposal
from services.indexer.ingest.ingest import Ingest
from services.indexer.ingest.reconcile import Reconciliation, difference
from services.indexer.sources.failover.source import FailoverSource
from shared.domain.position import Position
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.runtime.tasks import cancel
from shared.web.probes import Readiness
from tests.indexer.simulated import Sim, journal, simulated
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(40)


def outcome(name: str) -> float:
    labels = {"outcome": name}
    return REGISTRY.get_sample_value("headrace_indexer_reconciliations_total", labels) or 0.0


class Rig:
    """An ingest of both sources, and its reconciliation, which a test runs when it needs it."""

    def __init__(self, sim: Sim, redis: Redis, keys: Keys, *, rpc_first: bool) -> None:
        self.sim, self.redis, self.keys = sim, redis, keys
        self.readiness = Readiness("source")
        self.auto = FailoverSource(*self._sources(rpc_first), look_seconds=60)
        committer = Committer(redis, keys)
        self.ingest = Ingest(
            self.auto,
            committer,
            redis,
            keys,
            self.readiness,
            start="earliest",
            max_wait=0.05,
        )
        self.reconciliation = Reconciliation(
            self.auto, self._sources(rpc_first), redis, keys, self.readiness, seconds=0.05
        )

    def _sources(self, rpc_first: bool) -> tuple[Any, Any]:
        both = (self.sim.rpc(), self.sim.horizon())
        return both if rpc_first else both[::-1]

    async def caught_up(self) -> None:
        async def there() -> bool:
            cursor = await self.redis.hget(self.keys.progress, "cursor")
            return int(cursor or 0) >= self.sim.tip

        await until(there, what="the tip")

    async def compared(self, name: str) -> None:
        before = outcome(name)
        await until(lambda: outcome(name) > before, what=f"a comparison: {name}")

    @property
    def notes(self) -> dict[str, str]:
        found = self.readiness.document().get("notes", {})
        assert isinstance(found, dict)
        return found


@pytest.fixture(params=[True, False], ids=["rpc", "horizon"])
async def rig(redis: Redis, keys: Keys, request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    async with simulated(ledgers=10) as sim:
        made = Rig(sim, redis, keys, rpc_first=request.param)
        ingest = asyncio.create_task(made.ingest.run())
        await made.caught_up()
        reconciliation = asyncio.create_task(made.reconciliation.run())
        await until(lambda: made.reconciliation._first)
        for _ in range(8):
            sim.network.submit(Proposal(operations=(Operation(op="emit"),)))
            sim.close()
        await made.caught_up()
        yield made
        assert not ingest.done()
        assert not reconciliation.done()
        await cancel(ingest, reconciliation)


async def test_equal_sources_raise_no_alarm(rig: Rig) -> None:
    await rig.compared("same")
    assert rig.readiness.ready
    assert not rig.notes


async def test_a_missing_event_is_named(rig: Rig) -> None:
    await rig.compared("same")
    entries = await journal(rig.redis, rig.keys)
    gone = entries[-6].position
    await rig.redis.xdel(rig.keys.journal, gone)
    await rig.compared("differs")
    assert f"the journal does not have {gone}" in rig.notes["sources_differ"]
    assert rig.readiness.ready
    assert REGISTRY.get_sample_value("headrace_indexer_alarm", {"kind": "sources_differ"}) == 1


async def test_an_event_that_the_other_source_lacks_is_named(rig: Rig) -> None:
    await rig.compared("same")
    extra = (await journal(rig.redis, rig.keys))[-1]
    body = orjson.loads(extra.body)
    position = f"{extra.position.split('-')[0]}-77"
    fields: Any = {"p": extra.position, "h": extra.type, "b": orjson.dumps(body)}
    await rig.redis.xadd(rig.keys.journal, fields, id=position)
    rig.sim.close(2)
    await rig.compared("differs")
    assert f"the other source does not have {position}" in rig.notes["sources_differ"]


async def test_a_failed_source_is_not_a_difference(rig: Rig) -> None:
    surface = "stream" if rig.auto.other == "horizon" else "getEvents"
    await rig.sim.arm("503", surface=surface, times=1_000_000)
    await rig.compared("failed")
    assert not rig.notes
    await rig.sim.ask("DELETE", "faults")
    await rig.compared("same")


async def test_ledgers_up_to_a_gap_are_not_compared(rig: Rig) -> None:
    """Neither source is read for ledgers that are known to be lost."""
    await rig.compared("same")
    top = (await journal(rig.redis, rig.keys))[-1].position
    toid = ((int(top.split("-")[0]) >> 32) + 2 << 32) - 1
    body = orjson.dumps({"type": "chain.gap", "origin": "api"})
    await rig.redis.xadd(rig.keys.journal, {"p": top, "h": "chain.gap", "b": body}, id=f"{toid}-0")
    await rig.redis.xdel(rig.keys.journal, top)
    rig.sim.close(6)
    await rig.caught_up()
    await rig.compared("same")
    assert not rig.notes


def test_the_first_difference_is_returned() -> None:
    a, b, c = (Position(n, 0) for n in (1, 2, 3))
    body = {"type": "stream.paused", "txHash": "ab", "id": "1-0"}
    actual = {"type": "stream.paused", "txHash": "ab"}
    assert difference({}, {}) is None
    assert difference({a: body, b: body}, {a: actual, b: actual}) is None
    assert difference({a: body, c: body}, {a: actual, b: actual}) == "the journal does not have 2-0"
    assert difference({b: body}, {}) == "the other source does not have 2-0"
    other = difference({a: body}, {a: actual | {"txHash": "cd"}})
    assert other == "1-0: txHash is 'ab' in the journal, 'cd' in the other source"
    assert difference({a: body}, {a: actual | {"amount": "1"}}) is not None
