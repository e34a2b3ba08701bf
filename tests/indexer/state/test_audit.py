"""The audit: the contract's own state is read, and every stored state is compared with it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from deploy.simulator.chain.operations import Operation, Proposal
from deploy.simulator.contracts.record import claimable
from shared.chain.errors import SourceError
from shared.domain import stream as rules
from shared.journal.keys import Keys
from tests.indexer.simulated import as_stored, journal, simulated
from tests.indexer.state.audited import CREATE, Audited
from tests.support.waiting import until

pytestmark = [pytest.mark.timeout(60), pytest.mark.io]


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


async def test_before_the_first_stream_there_is_nothing_to_audit(redis: Redis, keys: Keys) -> None:
    async with simulated(5, streams=0) as sim:
        chain = Audited(sim, redis, keys)
        async with chain.ingesting():
            assert (await chain.audit.round()).streams == 0
            sim.network.submit(Proposal(operations=(CREATE,)))
            sim.close()
            await chain.has_read_all()
            found = await chain.audit.round()
            assert (found.streams, found.equal) == (1, 1)


async def test_a_contract_that_does_not_exist_is_an_error(redis: Redis, keys: Keys) -> None:
    async with simulated(5, streams=0) as sim:
        chain = Audited(sim, redis, keys)
        sim.network.storage._versions.clear()
        async with chain.ingesting():
            with pytest.raises(SourceError, match="RPC has no contract C") as caught:
                await chain.audit.round()
        assert caught.value.kind == "no_contract"


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
        assert "streams 300 differed from the contract's" in notes["state_differs"]
        assert not (await chain.round()).different


async def test_events_after_a_snapshot_continue_it_and_earlier_ones_do_not(
    chain: Audited,
) -> None:
    async with chain.ingesting():
        await chain.round()
        call = Operation(op="top_up", stream_id="300", amount=1000)
        chain.sim.network.submit(Proposal(operations=(call,)))
        await chain.until_equal("300")
    [snapshot, *later] = [
        orjson.loads(entry.body)
        for entry in await journal(chain.redis, chain.keys)
        if "300" in entry.topics
    ]
    assert snapshot["type"] == "stream.snapshot"
    assert [each["type"] for each in later] == ["stream.fee_collected", "stream.topped_up"]
    assert all("stream" in each for each in later)


async def test_an_upgrade_of_the_contract_starts_a_round(chain: Audited) -> None:
    async with chain.ingesting():
        await chain.round()
        assert not chain.audit._wanted.is_set()
        call = Operation(op="emit", name="contract_upgraded")
        chain.sim.network.submit(Proposal(operations=(call,)))
        chain.sim.close()
        await until(chain.audit._wanted.is_set, what="the wish for a round")


async def test_a_gap_starts_a_round(chain: Audited) -> None:
    async with chain.ingesting():
        await chain.round()
    assert not chain.audit._wanted.is_set()
    chain.sim.close(20)
    await chain.sim.arm("trim", after=5)
    async with chain.ingesting():
        await until(chain.audit._wanted.is_set, what="the wish for a round")
    assert "chain.gap" in await chain.kinds()


async def test_an_event_that_cannot_be_decoded_starts_a_round(chain: Audited) -> None:
    async with chain.ingesting():
        await chain.round()
        emit = Operation(op="emit")
        chain.sim.network.submit(Proposal(operations=(emit,), future="unknown_type"))
        chain.sim.close()
        await until(chain.audit._wanted.is_set, what="the wish for a round")


async def test_a_snapshot_before_the_first_known_close_time_has_the_time_of_redis(
    redis: Redis, keys: Keys
) -> None:
    async with simulated(60) as sim:
        sim.network.submit(Proposal(operations=(CREATE,)))
        sim.close()
        chain = Audited(sim, redis, keys)
        chain.audit._clock = lambda: 1_800_000_000.5
        async with chain.ingesting():
            await chain.audit.round()
        bodies = [orjson.loads(entry.body) for entry in await journal(redis, keys)]
        assert {body["timestamp"] for body in bodies} == {1_800_000_000}


async def test_a_gateway_that_refuses_the_version_does_not_stop_the_audit(chain: Audited) -> None:
    await chain.sim.arm("not_found", surface="getVersionInfo", times=1000, status=403)
    async with chain.ingesting():
        assert (await chain.round()).streams >= 400


async def test_an_rpc_that_is_too_old_is_not_asked_for_the_state(chain: Audited) -> None:
    await chain.sim.upgrade("rpc", version="22.1.3", protocol=22)
    with pytest.raises(SourceError, match="Upgrade RPC"):
        await chain.audit.round()
