"""The audit: the contract's own state is read, and every stored state is compared with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from deploy.simulator.chain import accounts
from deploy.simulator.chain.operations import Operation, Proposal
from deploy.simulator.chain.values import to_scval
from deploy.simulator.chain.xdr import entry_key
from deploy.simulator.contracts.record import claimable
from deploy.simulator.contracts.storage import stream_key
from services.indexer.decode.contracts import WatchedContracts
from services.indexer.ingest.ingest import Ingest
from services.indexer.sources.ledger_range import next_ledger
from services.indexer.sources.rpc.client import RpcClient
from services.indexer.state.audit import StateAudit
from services.indexer.state.contract_storage import ContractStorage
from services.indexer.state.findings import AuditRound
from shared.domain import stream as rules
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.runtime.tasks import cancel
from tests.indexer.ingest.test_ingest import Bench
from tests.indexer.simulated import Sim, as_stored, journal, simulated
from tests.support.pace import last
from tests.support.waiting import until

pytestmark = [pytest.mark.timeout(60), pytest.mark.io]
CREATE = Operation(op="create", amount=10**6, duration=5000)


class Audited(Bench):
    """An ingest that reads RPC from the latest ledger on, with an audit beside it."""

    def __init__(self, sim: Sim, redis: Redis, keys: Keys) -> None:
        super().__init__(sim, redis, keys)
        committer = Committer(redis, keys)
        self.working = Ingest(
            sim.rpc(),
            committer,
            redis,
            keys,
            self.readiness,
            start="latest",
            max_wait=0.02,
            contract_changed=lambda: self.audit.soon(),  # noqa: PLW0108 - it is made later
        )
        rpc = RpcClient(sim.session, f"{sim.url}/rpc")
        contract = WatchedContracts.of(accounts.STREAMS).stream
        self.committer = committer
        self.audit = StateAudit(
            ContractStorage(rpc, contract),
            committer,
            redis,
            keys,
            readiness=self.readiness,
            lock=self.working.commit_lock,
            seconds=3600,
            pause=0.0,
        )

    @asynccontextmanager
    async def ingesting(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.working.run())
        try:
            yield
        finally:
            await cancel(task)

    async def round(self) -> AuditRound:
        """A round, while ledgers go on closing."""
        closing = asyncio.create_task(self._close())
        try:
            return await self.audit.round()
        finally:
            await cancel(closing)
            await self.has_read_all()

    async def has_read_all(self) -> None:
        async def is_read() -> bool:
            cursor = int((await self.progress()).get("cursor", 0))
            return next_ledger(cursor) > self.sim.network.chain.latest.sequence

        await until(is_read, what="the last ledger")

    async def _close(self) -> None:
        while True:
            self.sim.close()
            await last(0.05)

    async def documents(self) -> dict[str, Any]:
        ids = list(self.sim.network.contract.state.streams)
        raw: Any = await self.redis.mget([self.keys.stream(each) for each in ids])
        return {i: each and orjson.loads(each) for i, each in zip(ids, raw, strict=True)}

    async def kinds(self) -> list[str]:
        return [entry.type for entry in await journal(self.redis, self.keys)]


@pytest.fixture
async def chain(redis: Redis, keys: Keys) -> AsyncIterator[Audited]:
    """A contract with 450 streams of all kinds, all made before the indexer starts."""
    async with simulated(60, fee_bps=50) as sim:
        for _ in range(10):
            sim.network.submit(Proposal(operations=(CREATE,) * 40))
        with_cliff = Operation(op="create", amount=10**6, duration=50, cliff=20)
        sim.network.submit(Proposal(operations=(with_cliff,)))
        sim.close(2)
        yield Audited(sim, redis, keys)


async def test_every_stream_from_before_the_start_is_known_to_the_unit(chain: Audited) -> None:
    async with chain.ingesting():
        found = await chain.round()
        records = dict(chain.sim.network.contract.state.streams)
        assert found.streams >= 400
        stored = await chain.committer.streams.load(list(records))
        now = chain.sim.network.chain.latest.closed_at
        assert len(found.loaded) + found.equal == found.streams
        for stream_id in found.loaded:
            stream = stored[stream_id]
            assert stream
            assert rules.claimable(stream, now) == claimable(records[stream_id], now)
        shown = (await chain.sim.ask("GET", "streams"))["streams"]
        documents = await chain.documents()
        for record in map(as_stored, shown):
            document = documents[record["id"]]
            assert {name: document[name] for name in record} == record
    kinds = await chain.kinds()
    assert kinds.count("stream.snapshot") == len(found.loaded)


async def test_a_second_round_finds_all_equal(chain: Audited) -> None:
    async with chain.ingesting():
        await chain.round()
        before = (await chain.kinds()).count("stream.snapshot")
        again = await chain.round()
        assert again.equal + len(again.unsettled) == again.streams
        assert (await chain.kinds()).count("stream.snapshot") == before
        assert not again.different


async def test_an_altered_entry_is_found_and_the_contracts_state_is_taken(chain: Audited) -> None:
    async with chain.ingesting():
        await chain.round()
        await chain.sim.ask("POST", "entries", streamId="300", withdrawn=77)
        found = await chain.round()
        assert list(found.different) == ["300"]
        assert found.different["300"] == [("withdrawn", "0", "77")]
        document = (await chain.documents())["300"]
        assert document["withdrawnAmount"] == "77"
        assert 0 < document["stateLedger"] <= found.ledger
        chain.audit._report(found)
        notes: Any = chain.readiness.document()["notes"]
        assert "streams 300 were not as in the contract" in notes["state_differs"]
        assert not (await chain.round()).different


async def test_events_after_a_snapshot_continue_it_and_earlier_ones_do_not(
    chain: Audited,
) -> None:
    async with chain.ingesting():
        await chain.round()
        call = Operation(op="top_up", stream_id="300", amount=1000)
        chain.sim.network.submit(Proposal(operations=(call,)))
        await until_equal(chain, "300")
    [snapshot, *later] = [
        orjson.loads(entry.body)
        for entry in await journal(chain.redis, chain.keys)
        if "300" in entry.topics
    ]
    assert snapshot["type"] == "stream.snapshot"
    assert [each["type"] for each in later] == ["stream.fee_collected", "stream.topped_up"]
    assert all("stream" in each for each in later)


async def until_equal(chain: Audited, stream_id: str) -> None:
    chain.sim.close()

    async def equal() -> bool:
        record = chain.sim.network.contract.stream(stream_id)
        document = (await chain.documents())[stream_id]
        return bool(document["depositedAmount"] == str(record.deposited))

    await until(equal, what="the stream's new deposit")


async def test_an_upgrade_of_the_contract_starts_a_round(chain: Audited) -> None:
    async with chain.ingesting():
        await chain.round()
        assert not chain.audit._wanted.is_set()
        call = Operation(op="emit", name="contract_upgraded")
        chain.sim.network.submit(Proposal(operations=(call,)))
        chain.sim.close()
        await until(chain.audit._wanted.is_set, what="the wish for a round")


async def test_an_archived_record_is_told(chain: Audited) -> None:
    key = entry_key(accounts.STREAMS, to_scval(stream_key("300"))).to_xdr()
    chain.sim.network.storage.archive(key, chain.sim.network.chain.latest.sequence)
    async with chain.ingesting():
        assert (await chain.round()).archived == {"300"}
