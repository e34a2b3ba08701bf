"""Redis is down, hangs or is not started yet: clients stay connected and lose no event."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import redis as local_redis
from shared.journal.keys import Keys
from shared.redis.client import connect
from tests.fanout.replicas import SUBSCRIBE, Chain, StartReplica
from tests.support.redis_server import PATIENT
from tests.support.sse_client import SseClient
from tests.support.tcp_proxy import TcpProxy, every_link, no_link
from tests.support.waiting import free_port, until


class OwnRedis:
    """A Redis server that the test may stop. Its data stays on disk."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ("--appendfsync", "always", "--save", "")
        process = local_redis.start(self.port, self._folder, *options)
        self._process = process
        local_redis.wait_until_up(self.port, process)

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path / "redis")
    yield server
    server.stop()


async def test_subscribers_stay_connected_over_a_restart_of_redis(
    start: StartReplica, keys: Keys, own_redis: OwnRedis, clients: list[SseClient]
) -> None:
    own_redis.start()
    replica = await start(own_redis.url, probe_seconds=0.2)
    redis = connect(own_redis.url, timeout=PATIENT)
    chain = Chain(redis, keys)
    client = await replica.subscribe("all=true")
    clients.append(client)
    positions = await chain.commit_many(10)
    await client.wait_id(positions[-1])
    for _ in range(2):
        own_redis.stop()

        async def not_ready() -> bool:
            return not await replica.ready()

        await until(not_ready)
        # read from the recent events
        late = await replica.subscribe("all=true", since=positions[2])
        clients.append(late)
        await late.wait_id(positions[-1])
        own_redis.start()
        await redis.connection_pool.disconnect()
        positions += await chain.commit_many(10)
        await until(replica.ready)
        await client.wait_id(positions[-1])
        await late.wait_id(positions[-1])
        assert late.positions == positions[3:]
    assert client.positions == positions
    assert not client.closed.is_set()
    await redis.aclose()


async def test_without_redis_at_the_start_the_fanout_runs_and_is_not_ready(
    start: StartReplica, keys: Keys, own_redis: OwnRedis, clients: list[SseClient]
) -> None:
    replica = await start(own_redis.url, wait=False, probe_seconds=0.2)
    assert (await replica.get("/livez"))[0] == 200
    status, text = await replica.get("/readyz")
    assert (status, "Redis" in text) == (503, True)
    client = await SseClient.connect(replica.port, f"{SUBSCRIBE}?all=true")
    clients.append(client)
    await client.whole()
    assert client.status == 200
    (event,) = client.events
    assert (event.name, event.own_id) == ("overload", None)
    assert (event.retry or 0) >= 2000
    await until(client.closed.is_set)
    status, text = await replica.get(f"{SUBSCRIBE}?all=true&on_overload=status")
    assert (status, "overloaded" in text) == (503, True)
    own_redis.start()
    await until(replica.ready)
    redis = connect(own_redis.url, timeout=PATIENT)
    client = await replica.subscribe("all=true")
    clients.append(client)
    positions = await Chain(redis, keys).commit_many(3)
    await client.wait_id(positions[-1])
    assert client.positions == positions
    await redis.aclose()


async def test_a_redis_that_hangs_makes_the_fanout_not_ready(
    start_behind_proxy: StartReplica, proxy: TcpProxy, chain: Chain, clients: list[SseClient]
) -> None:
    replica = await start_behind_proxy(probe_seconds=0.2)
    client = await replica.subscribe("all=true")
    clients.append(client)
    proxy.hold = every_link

    async def not_ready() -> bool:
        return not await replica.ready()

    await until(not_ready)
    positions = await chain.commit_many(3)
    proxy.hold = no_link
    await client.wait_id(positions[-1])
    await until(replica.ready)
    assert client.positions == positions
