"""The indexer under random faults of the network and random kills: the journal must be exact.

Set SECONDS and SEED for a longer or another run, for example `SECONDS=300 SEED=8`. A failure shows
its seed. Faults that rightly stop an indexer or lose history are left out: another passphrase, a
reset, ledgers that no source has any longer, and the same alteration twice.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from shared.domain.position import parse_position
from shared.domain.stream import claimable
from shared.journal.keys import Keys
from shared.journal.stream_document import stream_of
from tests.chaos.indexer import Chaos, chaos
from tests.indexer.simulated import as_stored
from tests.shared.journal.audit import check
from tests.support.tier import at_length, one_in_test
from tests.support.waiting import until
from tests.system.test_end_to_end import agrees

SECONDS = float(os.environ.get("SECONDS") or at_length(15, 300)) / 3
pytestmark = [pytest.mark.io, pytest.mark.timeout(SECONDS * 2 + 120)]


@pytest.mark.parametrize("source", one_in_test(["auto", "horizon", "rpc"]))
async def test_under_faults_journal_and_streams_equal_the_ledger(
    redis: Redis, redis_url: str, keys: Keys, source: str
) -> None:
    seed = int(os.environ.get("SEED", "7"))
    loop = asyncio.get_running_loop()
    async with chaos(source, seed, redis_url, keys) as run:
        end = loop.time() + SECONDS
        while loop.time() < end or not run.killed or run.armed < SECONDS / 2:
            await run.reading()
            await run.alter()
            for _ in range(run.rng.randint(12, 24)):
                await run.step()
                await progressed(redis, keys)
            await caught_up(run, redis, keys)
        held = (await run.ask("GET", "events"))["events"]
        await is_exact(redis, keys, held, run.states)
        contract = {"horizon": (True,), "rpc": (True,), "auto": (True, None)}[source]
        bodies = [orjson.loads(entry.body) for entry in await check(redis, keys)]
        assert {body["verified"] for body in bodies} <= set(contract)
        assert not await redis.exists(keys.dead_letters)


async def progressed(redis: Redis, keys: Keys) -> None:
    before = await redis.hget(keys.progress, "cursor")

    async def moved() -> bool:
        return bool(await redis.hget(keys.progress, "cursor") != before)

    await within_a_moment(moved, seconds=0.15)


async def within_a_moment(condition: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Wait for a condition for some seconds; go on if it does not hold."""
    try:
        await until(condition, seconds=seconds)
    except AssertionError:
        return


async def caught_up(run: Chaos, redis: Redis, keys: Keys) -> None:
    """End all faults, and wait until the indexer has read everything."""
    await within_a_moment(run.spent, seconds=1.5)
    run.armed -= sum(fault["times"] for fault in await run.unspent())
    await run.ask("DELETE", "faults")
    await run.begin()
    await run.close()

    async def there() -> bool:
        return int(await redis.hget(keys.progress, "cursor") or 0) >= run.tip

    await until(there, seconds=40, what="the tip")


async def is_exact(
    redis: Redis, keys: Keys, held: list[Any], states: list[tuple[int, int, list[Any]]]
) -> None:
    entries = await check(redis, keys)
    bodies = [orjson.loads(entry.body) for entry in entries]
    assert [body["id"] for body in bodies] == [each["id"] for each in held]
    for body, each in zip(bodies, held, strict=True):
        assert agrees(body | {"verified": True}, each), (body, each)
    last = {each["id"]: each for each in states[-1][2]}
    documents: Any = await redis.mget([keys.stream(stream_id) for stream_id in last])
    stored = [orjson.loads(document) for document in documents]
    expected = [as_stored(each) for each in last.values()]
    shown = [{name: d[name] for name in e} for d, e in zip(stored, expected, strict=True)]
    assert shown == expected
    claimable_at_every_ledger(bodies, states)


def claimable_at_every_ledger(bodies: list[Any], states: list[tuple[int, int, list[Any]]]) -> None:
    streams: dict[str, Any] = {}
    remaining = iter(bodies)
    body = next(remaining, None)
    for ledger, now, held in states:
        while body and parse_position(body["id"]).ledger <= ledger:
            if "stream" in body:
                streams[body["streamId"]] = stream_of(body["stream"])
            body = next(remaining, None)
        ours = {stream_id: claimable(stream, now) for stream_id, stream in streams.items()}
        assert ours == {each["id"]: of_contract(each, now) for each in held}, ledger


def of_contract(stream: Any, now: int) -> int:
    """The claimable amount by the contract's rule."""
    if not stream["active"]:
        return 0
    until_ = now if stream["pausedAt"] is None else stream["pausedAt"]
    elapsed = max(0, until_ - stream["lastUpdateTime"])
    left = int(stream["depositedAmount"]) - int(stream["withdrawnAmount"])
    return max(0, min(int(stream["ratePerSecond"]) * elapsed, left))
