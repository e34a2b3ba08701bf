"""An ingest with an audit beside it, on a simulated network."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import orjson
from redis.asyncio import Redis

from deploy.simulator.chain import accounts
from deploy.simulator.chain.operations import Operation, Proposal
from deploy.simulator.contracts.record import claimable
from services.indexer.ingest.ingest import Ingest
from services.indexer.sources.ledger_range import next_ledger
from services.indexer.sources.rpc.version import check_version
from services.indexer.sources.upstream import UpstreamVersions
from services.indexer.state.audit import StateAudit
from services.indexer.state.contract_storage import ContractStorage
from services.indexer.state.findings import AuditRound
from services.indexer.state.gap_marks import GapMarks
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.rpc import RpcClient
from shared.domain import commands
from shared.domain import stream as rules
from shared.domain.events import Event
from shared.domain.stream import Stream
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.plan import StreamStates
from shared.runtime.tasks import cancel
from tests.indexer.ingest.test_ingest import Bench
from tests.indexer.simulated import Sim, journal
from tests.support.pace import last
from tests.support.waiting import until

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
            audit_soon=lambda: self.audit.soon(),  # noqa: PLW0108 - it is made later
            on_gap=lambda: self.gap_marks.soon(),  # noqa: PLW0108 - it is made later
        )
        self.gap_marks = GapMarks(committer, redis, keys, time.time)
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
            check=partial(check_version, rpc, UpstreamVersions()),
        )

    @asynccontextmanager
    async def ingesting(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(each.run()) for each in (self.working, self.gap_marks)]
        try:
            yield
        finally:
            await cancel(*tasks)

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
            latest = self.sim.network.chain.latest
            last = max((each.toid for each in latest.transactions), default=latest.sequence << 33)
            return next_ledger(cursor) > latest.sequence or cursor >= last

        await until(is_read, what="the last ledger")

    async def _close(self) -> None:
        while True:
            self.close()
            await last(0.05)

    def close(self) -> None:
        """Close a ledger with a transaction: Horizon tells nothing of a ledger without one."""
        self.sim.network.submit(Proposal(operations=(Operation(op="foreign"),)))
        self.sim.close()

    async def documents(self) -> dict[str, Any]:
        ids = list(self.sim.network.contract.state.streams)
        raw: Any = await self.redis.mget([self.keys.stream(each) for each in ids])
        return {i: each and orjson.loads(each) for i, each in zip(ids, raw, strict=True)}

    async def stream(self, stream_id: str) -> Stream:
        """The stored stream."""
        stream = (await self.committer.streams.load([stream_id]))[stream_id]
        assert stream
        return stream

    async def shows_what_is_true(self, stream_id: str) -> bool:
        """True if the claimable amount is the contract's, to the unit."""
        now = self.sim.network.chain.latest.closed_at
        record = self.sim.network.contract.stream(stream_id)
        return rules.claimable(await self.stream(stream_id), now) == claimable(record, now)

    def read_horizon(self) -> None:
        """Read Horizon instead of RPC. The audit goes on to use RPC."""
        self.working._source = self.sim.horizon(rpc=False)

    def withdraw(self, stream_id: str) -> None:
        call = Operation(op="withdraw", stream_id=stream_id)
        self.sim.network.submit(Proposal(operations=(call,)))
        self.sim.close()

    async def hide(self, stream_id: str) -> None:
        await self.committer.change([stream_id], partial(_hide, stream_id))

    async def do(self, op: str, **more: Any) -> None:
        """Call the contract in a new ledger, and wait until it is read."""
        self.sim.network.submit(Proposal(operations=(Operation(op=op, **more),)))
        self.sim.close()
        await self.has_read_all()

    async def kinds(self) -> list[str]:
        return [entry.type for entry in await journal(self.redis, self.keys)]

    async def until_equal(self, stream_id: str) -> None:
        """Close a ledger, and wait until the stored deposit is the contract's."""
        self.sim.close()

        async def equal() -> bool:
            record = self.sim.network.contract.stream(stream_id)
            document = (await self.documents())[stream_id]
            return bool(document["depositedAmount"] == str(record.deposited))

        await until(equal, what="the stream's new deposit")


def _hide(stream_id: str, stored: StreamStates) -> list[Event]:
    stream = stored[stream_id]
    assert stream
    return commands.hide(stream, 1)
