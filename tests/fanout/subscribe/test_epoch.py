"""Redis loses its data, the revocations included: older tokens are no longer accepted."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.auth.revocations import Revocation, RevocationStore
from shared.journal.keys import Keys
from shared.journal.namespace import begin_epoch
from tests.fanout.replicas import ALICE, BOB, Replica, in_process_replica
from tests.fanout.tokens import REQUIRED, bearer, status, token
from tests.support.data import begun_long_ago
from tests.support.redis_node import Node
from tests.support.sse_client import SseClient
from tests.support.waiting import until

pytestmark = pytest.mark.io


@pytest.fixture
async def node(tmp_path: Path, keys: Keys) -> AsyncIterator[Node]:
    """A Redis server without persistence."""
    node = Node(tmp_path / "redis", {"save": '""', "appendonly": "no"})
    await node.start()
    try:
        async with node.client() as redis:
            await begun_long_ago(redis, keys)
        yield node
    finally:
        await node.stop()


@pytest.fixture
async def replica(node: Node, keys: Keys) -> AsyncIterator[Replica]:
    url = f"redis://127.0.0.1:{node.port}/0"
    async with in_process_replica(url, keys, **REQUIRED, probe_seconds=0.2) as replica:
        yield replica


async def test_after_a_loss_of_data_connections_with_older_tokens_end(
    replica: Replica, node: Node, keys: Keys, clients: list[SseClient]
) -> None:
    old = bearer(token(BOB))
    client = await replica.subscribe(f"users={BOB}", headers=old)
    clients.append(client)
    await node.stop()
    await node.start()
    await until(lambda: replica.components.feed.lag_reason is None)
    assert await status(replica, f"users={BOB}", headers=old) == 0, (
        "overload in band: the client may retry"
    )
    assert not client.closed.is_set()
    async with node.client() as redis:
        epoch = await begin_epoch(redis, keys)
    await until(client.closed.is_set, what="the end of the older token")
    assert client.events[-1].json["reason"] == "revoked"
    assert await status(replica, f"users={BOB}", headers=old) == 401
    new = bearer(token(ALICE, iat=epoch / 1e6 + 0.001))
    newer = await replica.subscribe(f"users={ALICE}", headers=new)
    clients.append(newer)
    last_look = replica.components.expiry._epoch_seen
    await until(lambda: time.monotonic() > last_look + 3, seconds=5, what="a few more looks")
    assert not newer.closed.is_set()


async def test_revocations_after_a_loss_apply_although_the_clock_is_behind(
    replica: Replica, node: Node, keys: Keys, clients: list[SseClient]
) -> None:
    """New entries of the log have ids below those that were read before."""
    async with node.client() as redis:
        far: Any = await redis.xadd(keys.revocations, {"token": "x", "account": "", "before": "0"},
                               id="9999999999999-0")  # fmt: skip
        await until(lambda: replica.components.expiry._cursor == far.decode(), what="the last look")
        await redis.delete(keys.revocations)
        await redis.set(keys.epoch, 2_000_000)
        client = await replica.subscribe(f"users={BOB}", headers=bearer(token(BOB, jti="j")))
        clients.append(client)
        await RevocationStore(redis, keys).revoke(Revocation(token_id="j"), seconds=60)
        await until(client.closed.is_set)


async def test_a_token_without_iat_is_refused(replica: Replica) -> None:
    assert await status(replica, f"users={BOB}", headers=bearer(token(BOB, iat=None))) == 401
    assert await status(replica, f"users={BOB}", headers=bearer(token(BOB))) == 200
