"""Redis with Sentinel: all calls go to the current primary; a failover takes seconds."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator

import pytest

from shared.journal.keys import Keys
from shared.redis.client import REDIS_UNAVAILABLE, connect
from shared.redis.replica import connect_to_replica
from tests.fanout.replicas import replica_process
from tests.shared.redis_clients import RECOVERY, open_clients
from tests.support.redis_sentinel import RedisSentinel
from tests.support.waiting import until

pytestmark = pytest.mark.io


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisSentinel]:
    servers = RedisSentinel(tmp_path_factory.mktemp("sentinel"))
    try:
        yield servers
    finally:
        asyncio.run(servers.close())


@pytest.fixture
async def sentinel(installation: RedisSentinel) -> RedisSentinel:
    """Restarts the servers and sentinels that an earlier test has stopped."""
    await installation.start()
    return installation


async def test_every_client_connects_to_the_primary(sentinel: RedisSentinel, keys: Keys) -> None:
    async with open_clients(sentinel.url, keys) as clients:
        await clients.check_all()
        assert await clients.servers() == {await sentinel.primary_port()}


async def test_one_sentinel_that_answers_is_enough(sentinel: RedisSentinel, keys: Keys) -> None:
    first, second, _ = sentinel.sentinels
    await asyncio.gather(sentinel.kill(first), sentinel.kill(second))
    async with open_clients(sentinel.url, keys) as clients:
        await clients.check_all()


async def test_a_hanging_sentinel_delays_a_call_by_less_than_its_timeout(
    sentinel: RedisSentinel, keys: Keys
) -> None:
    first = next(iter(sentinel.sentinels.values()))
    first.signal(signal.SIGSTOP)
    try:
        async with open_clients(sentinel.url, keys) as clients:
            await clients.check_all()
    finally:
        first.signal(signal.SIGCONT)


async def test_without_a_sentinel_redis_is_unavailable(sentinel: RedisSentinel, keys: Keys) -> None:
    await asyncio.gather(*map(sentinel.kill, sentinel.sentinels))
    async with connect(sentinel.url, slot_key=keys.journal) as client:
        with pytest.raises(REDIS_UNAVAILABLE):
            await client.get(keys.journal)


async def test_after_the_primary_died_all_calls_work_again(
    sentinel: RedisSentinel, keys: Keys
) -> None:
    async with (
        open_clients(sentinel.url, keys) as clients,
        replica_process(sentinel.url, keys) as fanout,
    ):
        client = await fanout.subscribe()
        before = await clients.check_all()
        former = await sentinel.primary_port()
        await sentinel.kill(former)
        await sentinel.failed_over(former)  # what follows is ours
        began = time.monotonic()
        after = await clients.check_all()
        await until(fanout.ready, what="the fanout's /readyz")
        await client.wait_id(after)
        assert time.monotonic() - began < RECOVERY
        assert client.positions == [before, after]
        assert not client.closed.is_set()
        assert await clients.servers() == {await sentinel.failed_over(former)}
        client.close()


async def test_nothing_is_written_to_a_demoted_primary(sentinel: RedisSentinel, keys: Keys) -> None:
    """A manual REPLICAOF keeps the connections open. A Sentinel closes them."""
    async with open_clients(sentinel.url, keys) as clients:
        await clients.check_all()
        former = await sentinel.primary()
        new = await sentinel.fail_over(former.port)
        await former.ask("REPLICAOF", "127.0.0.1", new)
        for client in (clients.multiplexed, clients.pool):
            with pytest.raises(REDIS_UNAVAILABLE, match="not the primary"):
                await client.set(keys.fence, "x")
        await clients.check_all()
        assert await clients.servers() == {new}


async def test_a_former_primary_that_hung_and_continues_gets_no_writes(
    sentinel: RedisSentinel, keys: Keys
) -> None:
    """It still acts as the primary, but the timed-out calls have closed their connections."""
    former = await sentinel.primary()
    async with (
        open_clients(sentinel.url, keys) as clients,
        replica_process(sentinel.url, keys) as fanout,
    ):
        client = await fanout.subscribe()
        before = await clients.check_all()
        former.signal(signal.SIGSTOP)
        during = await clients.write()
        await client.wait_id(during)
        former.signal(signal.SIGCONT)
        after = await clients.write()
        assert not await former.ask("XRANGE", keys.journal, during, "+")
        assert await clients.servers() == {await sentinel.failed_over(former.port)}
        await client.wait_id(after)
        assert client.positions == [before, during, after]
        client.close()


async def test_a_fanout_reads_the_replicas_that_the_sentinels_name(
    sentinel: RedisSentinel, keys: Keys
) -> None:
    """The primary dies, and the Sentinels promote the replica that the fanout may be reading."""
    async with (
        open_clients(sentinel.url, keys) as clients,
        replica_process(sentinel.url, keys, feed_redis_url=sentinel.url) as fanout,
    ):
        client = await fanout.subscribe()
        before = await clients.check_all()
        await client.wait_id(before)
        former = await sentinel.primary_port()
        await sentinel.kill(former)
        after = await clients.check_all()
        await client.wait_id(after)
        assert client.positions == [before, after]
        assert not client.closed.is_set()
        await until(fanout.ready, what="the fanout's /readyz")
        client.close()


async def test_without_a_replica_the_primary_is_read(sentinel: RedisSentinel) -> None:
    primary = await sentinel.primary_port()
    for port in set(sentinel.servers) - {primary}:
        await sentinel.kill(port)
    client, choice = connect_to_replica(sentinel.url)

    async def answers() -> bool:
        try:
            return bool(await client.ping())
        except REDIS_UNAVAILABLE:
            return False

    await until(answers, what="the primary, after the Sentinels have noticed")
    assert choice.current == ("127.0.0.1", primary)
    await client.aclose()
