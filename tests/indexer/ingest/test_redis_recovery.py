"""After a failover of Redis, the indexer reads on to the tip before the API may write."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from services.indexer.ingest.redis_recovery import FailoverRecovery
from shared.domain.position import toid
from shared.redis.client import connect
from tests.deploy.redis_work import COMMON, KEYS, ready
from tests.support.processes import running
from tests.support.redis_node import Node
from tests.support.redis_server import PATIENT
from tests.support.waiting import until


def test_caught_up_after_the_ledger_that_was_the_tip_at_the_start() -> None:
    recovery = FailoverRecovery()
    assert not recovery.is_caught_up(toid(9), 0), "nobody knows where it ends"
    assert not recovery.is_caught_up(toid(10, 3), 10), "there may be more in that ledger"
    assert recovery.is_caught_up(toid(11) - 1, 10)
    assert recovery.is_caught_up(toid(11, 1), 12), "it need not run after the tip"


def test_not_caught_up_while_the_source_is_behind_the_highest_cursor() -> None:
    recovery = FailoverRecovery()
    recovery.is_caught_up(toid(12, 1), 10)
    recovery.restart()
    assert not recovery.is_caught_up(toid(11, 1), 10)
    assert recovery.is_caught_up(toid(12, 1), 10)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(tmp_path / "redis", {"appendonly": "yes", "appendfsync": "always"})
    await node.start()
    yield node
    await node.stop()


@pytest.mark.io
@pytest.mark.parametrize("source", ["horizon", "rpc"])
async def test_after_a_restart_of_redis_the_api_accepts_writes_again(
    node: Node, source: str
) -> None:
    url = f"redis://127.0.0.1:{node.port}/0"
    redis = connect(url, timeout=PATIENT)
    async with (
        aiohttp.ClientSession() as session,
        running("deploy.simulator", CLOSE_SECONDS="0.2") as network,
        running("services.indexer", **environment(network.port, url, source)) as indexer,
    ):
        await until(lambda: ready(session, indexer.port))
        await until(lambda: redis.hget(KEYS.progress, "server"))
        indexer.signal(signal.SIGSTOP)  # otherwise the indexer would be finished before the check
        await node.stop()
        await node.start()
        await redis.connection_pool.disconnect()
        here = (await redis.info("replication"))["master_replid"].encode()
        assert await redis.hget(KEYS.progress, "server") != here
        indexer.signal(signal.SIGCONT)

        async def caught_up() -> bool:
            return await redis.hget(KEYS.progress, "server") == here

        await until(caught_up, what="the indexer's word that all is back")
    await redis.aclose()


def environment(network: int, redis_url: str, source: str) -> dict[str, str]:
    url = f"http://127.0.0.1:{network}"
    where = {"HORIZON_URL": url, "RPC_URL": f"{url}/rpc", "RPC_POLL_SECONDS": "0.1"}
    return COMMON | where | {"START": "earliest", "SOURCE": source, "REDIS_URL": redis_url}
