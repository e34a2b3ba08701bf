"""From the source to the journal: exactly the events of the ledger, under all faults."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from deploy.simulator.chain import accounts
from deploy.simulator.chain.operations import Operation, Proposal
from services.indexer.ingest.ingest import Ingest
from shared.chain.errors import FatalSourceError
from shared.domain.topics import user_topic
from shared.journal.commit import Committer
from shared.journal.commit_errors import FencedError
from shared.journal.keys import Keys
from shared.runtime.tasks import cancel
from shared.web.probes import Readiness
from tests.indexer.simulated import Sim, as_stored, journal, simulated
from tests.support.waiting import until


class Bench:
    """An ingest with its Redis; no supervisor restarts it."""

    def __init__(self, sim: Sim, redis: Redis, keys: Keys) -> None:
        self.sim, self.redis, self.keys = sim, redis, keys
        self.readiness = Readiness("source")

    def ingest(self, start: str = "earliest", token: str = "", **source: Any) -> Ingest:
        made = self.sim.horizon(opened=lambda: self.readiness.set("source", None), **source)
        committer = Committer(self.redis, self.keys, token=token)
        return Ingest(
            made, committer, self.redis, self.keys, self.readiness, start=start, max_wait=0.02
        )

    @asynccontextmanager
    async def running(self, **more: Any) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.ingest(**more).run())
        try:
            yield task
        finally:
            await cancel(task)

    async def progress(self) -> dict[str, str]:
        stored: Any = await self.redis.hgetall(self.keys.progress)
        return {name.decode(): value.decode() for name, value in stored.items()}

    async def caught_up(self, seconds: float = 30) -> None:
        async def is_there() -> bool:
            return (await self.progress()).get("cursor") == str(self.sim.tip)

        await until(is_there, seconds=seconds, what="the tip")

    async def misbehave(self, fault: dict[str, Any]) -> None:
        """Arm a fault. One transaction is never altered twice: that rightly stops the ingest."""
        if fault["kind"] == "corrupt_meta":
            await self.caught_up()
            if any(each["kind"] == "corrupt_meta" for each in await self.sim.unspent()):
                return
        await self.sim.arm(**fault)

    async def letters(self) -> list[Any]:
        rows: Any = await self.redis.xrange(self.keys.dead_letters)
        return [orjson.loads(fields[b"letter"]) for _, fields in rows]


@pytest.fixture
async def bench(redis: Redis, keys: Keys) -> AsyncIterator[Bench]:
    async with simulated(ledgers=20) as sim:
        yield Bench(sim, redis, keys)


FAULTS: tuple[dict[str, Any], ...] = (
    *({"kind": kind} for kind in ("429", "503", "504", "byebye", "error", "malformed", "cut")),
    *({"kind": kind} for kind in ("drop", "corrupt_meta", "no_meta")),
    *({"kind": kind, "seconds": 0.3} for kind in ("hang", "stall")),
    {"kind": "slow", "seconds": 0.0},
    *({"kind": kind, "surface": each} for kind, each in (("503", "root"), ("504", "rpc"))),
    {"kind": "no_meta", "surface": "getTransaction"},
)


@pytest.mark.parametrize("seed", range(3))
async def test_the_journal_equals_the_ledger_under_all_faults(bench: Bench, seed: int) -> None:
    sim, chance = bench.sim, random.Random(seed)
    async with bench.running(seconds=0.2) as task:
        for n in range(40):
            if n % 8 == 0:
                await bench.caught_up()
            if chance.random() < 0.7:
                await bench.misbehave({"after": chance.randrange(3)} | chance.choice(FAULTS))
            if chance.random() < 0.2:
                sim.network.submit(Proposal(operations=(Operation(op="emit"),)))
            sim.close(chance.randint(1, 3))
        await sim.ask("DELETE", "faults")
        await bench.caught_up()
        assert not task.done()
    from_network = (await sim.ask("GET", "events"))["events"]
    entries = await journal(bench.redis, bench.keys)
    assert [e.position for e in entries] == [each["id"] for each in from_network]
    assert len(from_network) > 60
    bodies = [orjson.loads(e.body) for e in entries]
    assert [(b["txHash"], b["ledgerClosedAt"], b["streamId"]) for b in bodies] == [
        (each["txHash"], each["closedAt"], each["streamId"]) for each in from_network
    ]
    assert all(b["verified"] is True for b in bodies)
    assert not await bench.letters()
    await states_are_the_contracts(bench)


async def states_are_the_contracts(bench: Bench) -> None:
    from_network = (await bench.sim.ask("GET", "streams"))["streams"]
    raw: Any = await bench.redis.mget([bench.keys.stream(each["id"]) for each in from_network])
    stored = [orjson.loads(document) for document in raw]
    expected = [as_stored(each) for each in from_network]
    shown = [{name: d[name] for name in e} for d, e in zip(stored, expected, strict=True)]
    assert shown == expected
    assert {each["status"] for each in expected} > {"active", "cancelled"}


async def test_events_concern_both_parties(bench: Bench) -> None:
    create = Operation(op="create", sender="alice", recipient="bob", amount=10**6, duration=100)
    bench.sim.network.submit(Proposal(operations=(create,)))
    created = str(len(bench.sim.network.contract.state.streams) + 1)
    bench.sim.close()
    paused = Operation(op="pause", stream_id=created)
    moved = Operation(op="transfer_recipient", stream_id=created, recipient="carol")
    for operation in (moved, paused):
        bench.sim.network.submit(Proposal(operations=(operation,)))
        bench.sim.close()
    async with bench.running():
        await bench.caught_up()
    alice, bob, carol = (user_topic(accounts.address(n)) for n in ("alice", "bob", "carol"))
    entries = await journal(bench.redis, bench.keys)
    topics = {e.type: set(e.topics) for e in entries if created in e.topics}
    assert topics["stream.fee_collected"] == {created, alice, bob}  # it precedes the creation
    assert topics["stream.created"] == {created, alice, bob}
    assert topics["stream.recipient_transferred"] == {created, alice, bob, carol}
    assert topics["stream.paused"] == {created, alice, carol}


async def test_progress_is_committed_with_every_batch(redis: Redis, keys: Keys) -> None:
    async with simulated(streams=0, ledgers=1) as sim:
        bench = Bench(sim, redis, keys)
        async with bench.running(start="latest"):
            await until(bench.progress)
            assert (await bench.progress())["cursor"] == str((sim.tip >> 32) + 1 << 32)
            for _ in range(3):
                sim.close()
                await bench.caught_up()
                latest = sim.network.chain.latest
                progress = await bench.progress()
                assert progress["ledger"] == str(latest.sequence)
                assert progress["closedAt"].startswith("2026-02-02T02:4")
        assert not await redis.exists(keys.journal)
        assert not [url for url in sim.asked if "now" in url]


async def test_a_restart_continues_at_the_stored_cursor(bench: Bench) -> None:
    async with bench.running():
        await bench.caught_up()
    stopped = bench.sim.tip
    bench.sim.close(5)
    bench.sim.asked.clear()
    async with bench.running(start="latest"):  # START counts for a new namespace only
        await bench.caught_up()
    assert f"cursor={stopped}&" in next(u for u in bench.sim.asked if "/transactions" in u)
    assert [e.position for e in await journal(bench.redis, bench.keys)] == bench.sim.positions()


async def test_a_repetition_writes_nothing_twice(bench: Bench) -> None:
    """As after a failover of Redis that lost the progress but not the journal."""
    async with bench.running():
        await bench.caught_up()
    before = await journal(bench.redis, bench.keys)
    state = await bench.redis.get(bench.keys.stream("1"))
    await bench.redis.delete(bench.keys.progress)
    async with bench.running():
        await bench.caught_up()
    assert await journal(bench.redis, bench.keys) == before
    assert await bench.redis.get(bench.keys.stream("1")) == state


async def test_a_dead_letter_and_its_cursor_are_one_commit(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.sim.network.submit(Proposal(operations=(Operation(op="emit"),), future="unknown_type"))
    cursor = bench.sim.tip
    bench.sim.close()
    await bench.redis.set(bench.keys.fence, "another")
    await bench.redis.hset(bench.keys.progress, "cursor", str(cursor))
    with pytest.raises(FencedError):
        await bench.ingest(token="mine").run()
    connector = bench.sim.session.connector
    assert connector
    assert not connector._acquired, "closed when the error is raised, not later"
    assert not await bench.letters()
    assert await bench.progress() == {"cursor": str(cursor)}
    await until(lambda: not bench.sim.network.listeners, what="its connection closed")
    await bench.redis.set(bench.keys.fence, "mine")
    commits: list[tuple[int, int]] = []
    record = Committer.record

    async def noted(self: Committer, events: Any, *, dead: Any = (), **more: Any) -> Any:
        commits.append((int(more["progress"]["cursor"]), len(dead)))
        return await record(self, events, dead=dead, **more)

    monkeypatch.setattr(Committer, "record", noted)
    async with bench.running(token="mine"):
        await bench.caught_up()
    assert next(letters for passed, letters in commits if passed > cursor) == 1
    assert sum(letters for _, letters in commits) == 1
    [letter] = await bench.letters()
    bad = next(t for t in bench.sim.network.chain.after(cursor) if t.operations)
    assert (letter["kind"], letter["txHash"], letter["xdr"]) == ("meta", bad.hash, bad.meta)
    assert (letter["position"], letter["result"]) == (f"{bad.toid}-0", bad.result)


async def test_events_that_fail_their_proof_twice_are_never_committed(bench: Bench) -> None:
    await bench.sim.arm("corrupt_meta", times=1000)
    with pytest.raises(FatalSourceError, match="unproved"):
        await bench.ingest().run()
    from_network = await journal(bench.redis, bench.keys)
    assert [e.position for e in from_network] == bench.sim.positions()[: len(from_network)]
    assert len(from_network) < len(bench.sim.positions())


async def test_readiness_shows_the_source_error_until_it_streams_again(bench: Bench) -> None:
    await bench.sim.arm("503", times=1_000_000)

    def parts() -> str:
        return str(bench.readiness.document()["parts"])

    async with bench.running():
        await until(lambda: "status_503" in parts())
        assert not bench.readiness.ready
        await bench.sim.ask("DELETE", "faults")
        await bench.caught_up()
        await until(lambda: bench.readiness.ready, what="readiness after the commit")
    bench.readiness.set("source", "starting")
    async with bench.running():  # a quiet network is fine too
        await until(lambda: bench.readiness.ready)
