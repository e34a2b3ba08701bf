"""Redis Cluster: the owner of the namespace's slot gets the calls, wherever the slot goes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from shared.journal.keys import Keys
from shared.redis.client import REDIS_UNAVAILABLE
from tests.fanout.rig import BOB, outside
from tests.shared.journal.audit import check
from tests.shared.ways import RECOVERY, Ways, ways
from tests.support.redis_cluster import RedisCluster
from tests.support.waiting import until

pytestmark = pytest.mark.io


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    whole = RedisCluster(tmp_path_factory.mktemp("cluster"))
    try:
        yield whole
    finally:
        asyncio.run(whole.close())


@pytest.fixture
async def cluster(installation: RedisCluster) -> RedisCluster:
    """With all that a test before has ended started again."""
    await installation.start()
    return installation


async def test_every_way_leads_to_the_owner_of_the_slot(cluster: RedisCluster, keys: Keys) -> None:
    async with ways(cluster.url, keys) as whole:
        await whole.all_answer()
        assert await whole.servers() == {await cluster.owner_port(keys.journal)}


async def test_a_node_that_owns_nothing_of_ours_knows_the_way(
    cluster: RedisCluster, keys: Keys
) -> None:
    owner = await cluster.owner_port(keys.journal)
    other = next(port for port in cluster.nodes if port != owner)
    async with ways(f"redis+cluster://127.0.0.1:{other}", keys) as whole:
        await whole.all_answer()
        assert await whole.servers() == {owner}


async def test_a_slot_that_moved_is_followed(cluster: RedisCluster, keys: Keys) -> None:
    async with ways(cluster.url, keys) as whole, outside(cluster.url, keys) as fanout:
        client = await fanout.subscribe()
        before = await whole.all_answer()
        former = await cluster.owner_port(keys.journal)
        new = await cluster.move_slot(keys.journal)
        after = await whole.all_answer()
        await client.wait_id(after)
        assert client.positions == [before, after]
        assert await whole.servers() == {new} != {former}
        client.close()


async def test_a_slot_that_is_half_moved_takes_a_commit_whole_or_not_at_all(
    cluster: RedisCluster, keys: Keys
) -> None:
    """A commit writes to sets that it is not called with. Nothing but those is missing at first."""
    async with ways(cluster.url, keys) as whole:
        await whole.chain.commit_many(3)
        await whole.pool.set(keys.fence, "")
        await whole.pool.xadd(keys.dead_letters, {"letter": "{}"})
        async with cluster.moving(keys.journal) as move:
            await whole.chain.commit()
            await move.these(keys.topic(f"user:{BOB}"))
            await refused(whole)
            while await move.some(1):
                await refused(whole)
        await whole.all_answer()
        assert len(await check(whole.pool, keys)) == 5


async def refused(whole: Ways) -> None:
    """Neither on the one nor on the other side anything is written."""
    with pytest.raises(REDIS_UNAVAILABLE):
        await whole.chain.commit()
    whole.chain.ledger -= 1


async def test_after_the_owners_death_all_is_answered_again(
    cluster: RedisCluster, keys: Keys
) -> None:
    async with ways(cluster.url, keys) as whole, outside(cluster.url, keys) as fanout:
        client = await fanout.subscribe()
        before = await whole.all_answer()
        former = await cluster.owner_port(keys.journal)
        await cluster.kill(former)
        began = time.monotonic()
        after = await whole.all_answer()
        await until(fanout.ready, what="the fanout's /readyz")
        await client.wait_id(after)
        assert time.monotonic() - began < RECOVERY
        assert client.positions == [before, after]
        assert await whole.servers() == {await cluster.owner_port(keys.journal)} != {former}
        client.close()
