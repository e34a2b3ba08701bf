"""stellar-core's own transactions, replayed by the simulated network into the journal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from deploy.simulator.replay import passes
from services.indexer.decode.contracts import Contracts
from shared.domain.position import parse_position
from shared.journal.keys import Keys
from tests.indexer.ingest.test_ingest import Bench
from tests.indexer.installed import Site
from tests.indexer.simulated import journal, simulated

pytestmark = pytest.mark.timeout(30)
CALLED = "CAA3QKIP2SNVXUJTB4HKOGF55JTSSMQGED3FZYNHMNSXYV3DRRMAWA3Y"
"""The contract that stellar-core's tests call."""


@pytest.fixture
def file(vectors: Path) -> Path:
    return vectors / "core_transactions.json"


@pytest.fixture
def sets(file: Path) -> list[Any]:
    return passes(json.loads(file.read_text()))


def events_of(transactions: Any) -> list[Any]:
    return [e for t in transactions for e in t["events"] if e["contract"] == CALLED]


async def test_every_pass_of_them(file: Path, sets: list[Any], redis: Redis, keys: Keys) -> None:
    read = 0
    for n, transactions in enumerate(sets):
        keys = Keys(f"{keys.namespace}-{n}")
        async with simulated(ledgers=0, vectors=str(file), vectors_pass=n) as sim:
            bench = Bench(sim, redis, keys)
            async with bench.running(contracts=Contracts.of(CALLED)):
                await bench.caught_up()
        entries = await journal(redis, keys)
        expected = events_of(transactions)
        assert [e.position for e in entries] == [str(parse_position(e["id"])) for e in expected]
        for entry, event in zip(entries, expected, strict=True):
            body = orjson.loads(entry.body)
            assert (entry.type, body["verified"]) == ("chain.unknown", True)
            assert body["topicsXdr"] == event["topic_xdr"]
            assert body["valueXdr"] == event["value_xdr"]
        assert not await bench.letters()
        read += len(entries)
    assert read >= 7


async def test_by_a_process(file: Path, redis: Redis, redis_url: str, keys: Keys) -> None:
    async with simulated(ledgers=0, vectors=str(file)) as sim:
        site = Site(sim, redis, redis_url, keys)
        async with site.indexer(CONTRACTS=CALLED) as process:
            await site.caught_up()
            await site.until_ready(process)
        await site.is_exact(CALLED)
        assert await journal(redis, keys)
