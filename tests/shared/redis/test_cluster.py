"""Redis Cluster: all calls go to the owner of the namespace's slot, also after the slot moved."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from shared.journal.keys import Keys
from shared.redis.client import REDIS_UNAVAILABLE
from tests.fanout.replicas import BOB, replica_process
from tests.shared.journal.audit import check
from tests.shared.redis_clients import RECOVERY, RedisClients, open_clients
from tests.support.redis_cluster import RedisCluster
from tests.support.waiting import until

pytestmark = pytest.mark.io


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    servers = RedisCluster(tmp_path_factory.mktemp("cluster"))
    try:
        yield servers
    finally:
        asyncio.run(servers.close())


@pytest.fixture
async def cluster(installation: RedisCluster) -> RedisCluster:
    """Restarts the nodes that an earlier test has stopped."""
    await installation.start()
    return installation


async def test_every_client_connects_to_the_owner_of_the_slot(
    cluster: RedisCluster, keys: Keys
) -> None:
    async with open_clients(cluster.url, keys) as clients:
        await clients.check_all()
        assert await clients.servers() == {await cluster.owner_port(keys.journal)}


async def test_one_node_is_enough_to_find_the_owner(cluster: RedisCluster, keys: Keys) -> None:
    owner = await cluster.owner_port(keys.journal)
    other = next(port for port in cluster.nodes if port != owner)
    async with open_clients(f"redis+cluster://127.0.0.1:{other}", keys) as clients:
        await clients.check_all()
        assert await clients.servers() == {owner}


async def test_clients_follow_a_slot_to_its_new_owner(cluster: RedisCluster, keys: Keys) -> None:
    async with (
        open_clients(cluster.url, keys) as clients,
        replica_process(cluster.url, keys) as fanout,
    ):
        client = await fanout.subscribe()
        before = await clients.check_all()
        former = await cluster.owner_port(keys.journal)
        new = await cluster.move_slot(keys.journal)
        after = await clients.check_all()
        await client.wait_id(after)
        assert client.positions == [before, after]
        assert await clients.servers() == {new} != {former}
        client.close()


async def test_while_a_slot_moves_a_commit_writes_everything_or_nothing(
    cluster: RedisCluster, keys: Keys
) -> None:
    """A commit writes to sorted sets that are not in its KEYS. First only these have been moved."""
    async with open_clients(cluster.url, keys) as clients:
        await clients.chain.commit_many(3)
        await clients.pool.set(keys.fence, "")
        await clients.pool.xadd(keys.dead_letters, {"letter": "{}"})
        async with cluster.moving(keys.journal) as move:
            await clients.chain.commit()
            await move.these(keys.topic(f"user:{BOB}"))
            await refused(clients)
            while await move.some(1):
                await refused(clients)
        await clients.check_all()
        assert len(await check(clients.pool, keys)) == 5


async def refused(clients: RedisClients) -> None:
    """The commit is rejected, and neither node has written anything."""
    with pytest.raises(REDIS_UNAVAILABLE):
        await clients.chain.commit()
    clients.chain.ledger -= 1


async def test_after_the_owner_died_all_calls_work_again(cluster: RedisCluster, keys: Keys) -> None:
    async with (
        open_clients(cluster.url, keys) as clients,
        replica_process(cluster.url, keys) as fanout,
    ):
        client = await fanout.subscribe()
        before = await clients.check_all()
        former = await cluster.owner_port(keys.journal)
        await cluster.kill(former)
        await cluster.failed_over(keys.journal, former)  # what follows is ours
        began = time.monotonic()
        after = await clients.check_all()
        await until(fanout.ready, what="the fanout's /readyz")
        await client.wait_id(after)
        assert time.monotonic() - began < RECOVERY
        assert client.positions == [before, after]
        assert await clients.servers() == {await cluster.failed_over(keys.journal, former)}
        client.close()
