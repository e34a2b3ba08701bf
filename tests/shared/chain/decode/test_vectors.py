"""The simulated network replays recorded transactions; the indexer writes them to the journal."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from deploy.simulator.replay import passes
from shared.chain.decode.contracts import WatchedContracts
from shared.domain.position import parse_position
from shared.journal.keys import Keys
from tests.indexer.ingest.test_ingest import Bench
from tests.indexer.installed import Site
from tests.indexer.simulated import journal, simulated
from tests.support.recordings import Recording

pytestmark = pytest.mark.timeout(60)


def events_of(contract: str, transactions: Any) -> list[Any]:
    return [e for t in transactions for e in t["events"] if e["contract"] == contract]


async def test_recorded_transactions_arrive_in_the_journal_in_every_pass(
    recorded: Recording, redis: Redis, keys: Keys
) -> None:
    read = 0
    for n, transactions in enumerate(passes(recorded.transactions())):
        keys = Keys(f"{keys.namespace}-{n}")
        async with simulated(ledgers=0, vectors=str(recorded.path), vectors_pass=n) as sim:
            bench = Bench(sim, redis, keys)
            async with bench.running(contracts=WatchedContracts.of(recorded.contract)):
                await bench.caught_up()
        entries = await journal(redis, keys)
        expected = events_of(recorded.contract, transactions)
        assert [e.position for e in entries] == [str(parse_position(e["id"])) for e in expected]
        for entry, event in zip(entries, expected, strict=True):
            body = orjson.loads(entry.body)
            assert (entry.type, body["verified"]) == ("chain.unknown", True)
            assert body["topicsXdr"] == event["topic_xdr"]
            assert body["valueXdr"] == event["value_xdr"]
        assert not await bench.letters()
        read += len(entries)
    assert read >= 7


async def test_recorded_transactions_arrive_in_the_journal_of_a_process(
    recorded: Recording, redis: Redis, redis_url: str, keys: Keys
) -> None:
    async with simulated(ledgers=0, vectors=str(recorded.path)) as sim:
        site = Site(sim, redis, redis_url, keys)
        async with site.indexer(CONTRACTS=recorded.contract) as process:
            await site.caught_up()
            await site.until_ready(process)
        await site.is_exact(recorded.contract)
        assert await journal(redis, keys)
