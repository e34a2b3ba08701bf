"""Redis with Sentinel: whoever is the primary gets the calls, and a killed one costs seconds."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator

import pytest

from shared.journal.keys import Keys
from shared.redis.client import REDIS_UNAVAILABLE, connect
from tests.fanout.rig import outside
from tests.shared.ways import RECOVERY, ways
from tests.support.redis_sentinel import RedisSentinel
from tests.support.waiting import until

pytestmark = pytest.mark.io


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisSentinel]:
    whole = RedisSentinel(tmp_path_factory.mktemp("sentinel"))
    try:
        yield whole
    finally:
        asyncio.run(whole.close())


@pytest.fixture
async def sentinel(installation: RedisSentinel) -> RedisSentinel:
    """With all that a test before has ended started again."""
    await installation.start()
    return installation


async def test_every_way_leads_to_the_primary(sentinel: RedisSentinel, keys: Keys) -> None:
    async with ways(sentinel.url, keys) as whole:
        await whole.all_answer()
        assert await whole.servers() == {await sentinel.primary_port()}


async def test_one_sentinel_that_answers_is_enough(sentinel: RedisSentinel, keys: Keys) -> None:
    first, second, _ = sentinel.sentinels
    await asyncio.gather(sentinel.kill(first), sentinel.kill(second))
    async with ways(sentinel.url, keys) as whole:
        await whole.all_answer()


async def test_a_sentinel_that_hangs_costs_less_than_a_call_may_take(
    sentinel: RedisSentinel, keys: Keys
) -> None:
    first = next(iter(sentinel.sentinels.values()))
    first.signal(signal.SIGSTOP)
    try:
        async with ways(sentinel.url, keys) as whole:
            await whole.all_answer()
    finally:
        first.signal(signal.SIGCONT)


async def test_without_a_sentinel_it_is_unreachable(sentinel: RedisSentinel, keys: Keys) -> None:
    await asyncio.gather(*map(sentinel.kill, sentinel.sentinels))
    async with connect(sentinel.url, slot_key=keys.journal) as client:
        with pytest.raises(REDIS_UNAVAILABLE):
            await client.get(keys.journal)


async def test_after_the_primarys_death_all_is_answered_again(
    sentinel: RedisSentinel, keys: Keys
) -> None:
    async with (
        ways(sentinel.url, keys) as whole,
        outside(sentinel.url, keys) as fanout,
    ):
        client = await fanout.subscribe()
        before = await whole.all_answer()
        former = await sentinel.primary_port()
        await sentinel.kill(former)
        began = time.monotonic()
        after = await whole.all_answer()
        await until(fanout.ready, what="the fanout's /readyz")
        await client.wait_id(after)
        assert time.monotonic() - began < RECOVERY
        assert client.positions == [before, after]
        assert not client.closed.is_set()
        assert await whole.servers() == {await sentinel.primary_port()} != {former}
        client.close()


async def test_who_was_demoted_is_written_to_no_more(sentinel: RedisSentinel, keys: Keys) -> None:
    """Its connections are alive, as after a REPLICAOF by hand; a Sentinel's ends them."""
    former = await sentinel.primary()
    async with ways(sentinel.url, keys) as whole:
        await whole.all_answer()
        new = await sentinel.fail_over(former.port)
        await former.ask("REPLICAOF", "127.0.0.1", new)
        for way in (whole.lane, whole.pool):
            with pytest.raises(REDIS_UNAVAILABLE, match="not the primary"):
                await way.set(keys.fence, "x")
        await whole.all_answer()
        assert await whole.servers() == {new}


async def test_a_primary_that_hung_and_comes_back_gets_nothing(
    sentinel: RedisSentinel, keys: Keys
) -> None:
    """It still believes to be the primary; calls that it did not answer have ended their lines."""
    former = await sentinel.primary()
    async with ways(sentinel.url, keys) as whole, outside(sentinel.url, keys) as fanout:
        client = await fanout.subscribe()
        before = await whole.all_answer()
        former.signal(signal.SIGSTOP)
        during = await whole.write()
        await client.wait_id(during)
        former.signal(signal.SIGCONT)
        after = await whole.write()
        assert not await former.ask("XRANGE", keys.journal, during, "+")
        assert await whole.servers() == {await sentinel.primary_port()} != {former.port}
        await client.wait_id(after)
        assert client.positions == [before, during, after]
        client.close()
