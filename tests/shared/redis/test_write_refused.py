"""A Redis that refuses to write: a commit writes nothing, and every caller gets the reason."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from shared.domain.events import Event
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.redis.client import REDIS_UNAVAILABLE, WriteRefusedError, connect, connect_multiplexed
from shared.redis.replication import NotReplicatedError, Replicas
from tests.shared.samples import at, created
from tests.support.redis_node import Node
from tests.support.waiting import until

pytestmark = pytest.mark.io

KEYS = Keys("unwilling")


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(tmp_path / "one", {"appendonly": "yes", "appendfsync": "everysec"})
    await node.start()
    yield node
    await node.stop()


@pytest.fixture
async def clients(node: Node) -> AsyncIterator[list[Redis]]:
    url = f"redis://127.0.0.1:{node.port}/0"
    clients: list[Redis] = [connect(url), connect_multiplexed(url)]
    yield clients
    for client in clients:
        await client.aclose()


async def refuses(client: Redis, ledger: int, message: str) -> None:
    """A commit is refused completely, and a read still works."""
    before = await client.xlen(KEYS.journal)
    with pytest.raises(WriteRefusedError, match=message):
        await Committer(client, KEYS).record([created(str(ledger), at(ledger))], progress={})
    assert await client.xlen(KEYS.journal) == before
    assert await client.get(KEYS.stream(str(ledger))) is None


async def test_writes_are_refused_when_the_memory_is_full(clients: list[Redis]) -> None:
    await clients[0].config_set("maxmemory", 1)
    for n, client in enumerate(clients):
        await refuses(client, 5 + n, "its memory is full")
    await clients[0].config_set("maxmemory", 0)
    await Committer(clients[1], KEYS).record([created("9", at(9))], progress={})


async def test_writes_are_refused_with_too_few_replicas(clients: list[Redis]) -> None:
    await clients[0].config_set("min-replicas-to-write", 1)
    for n, client in enumerate(clients):
        await refuses(client, 5 + n, "too few replicas follow it")


async def test_writes_are_refused_when_the_disk_is_full(node: Node, clients: list[Redis]) -> None:
    await node.ask("SET", "before", "1")
    resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (64, resource.RLIM_INFINITY))

    async def noticed() -> bool:
        try:
            await clients[0].set("x", "y" * 100)
        except WriteRefusedError as error:
            return "cannot write to its disk" in str(error)
        return False

    await until(noticed)
    for n, client in enumerate(clients):
        await refuses(client, 5 + n, "cannot write to its disk")
    resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)

    async def well() -> bool:
        try:
            return bool(await clients[1].set("x", "y"))
        except WriteRefusedError:
            return False

    await until(well)


async def test_a_connection_to_a_replica_is_rejected(node: Node, clients: list[Redis]) -> None:
    await node.ask("REPLICAOF", "127.0.0.1", "1")
    for client in clients:
        with pytest.raises(REDIS_UNAVAILABLE, match=r"is a (slave|replica), not the primary"):
            await client.get("x")


async def test_an_acknowledged_write_is_on_the_required_number_of_replicas(
    tmp_path: Path, node: Node, clients: list[Redis]
) -> None:
    replica = Node(tmp_path / "two", {"replicaof": f"127.0.0.1 {node.port}"})
    await node.ask("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    await replica.start()
    sure = Committer(clients[0], KEYS, replicas=Replicas(clients[0], 1))

    async def acknowledged(*events: Event) -> bool:
        try:
            await sure.record(events, progress={"cursor": "1"})
        except NotReplicatedError:
            return False
        return True

    await until(acknowledged, what="a replica that follows")
    # A replica can be late on a busy machine. A repeated event is written once.
    await until(lambda: acknowledged(created("5", at(5))), what="a replica that has the event")
    assert await replica.ask("EXISTS", KEYS.stream("5")) == 1

    await replica.stop()
    with pytest.raises(NotReplicatedError, match="0 of 1 replicas have it"):
        await sure.record([created("6", at(6))], progress={})
    assert await clients[0].exists(KEYS.stream("6")), "written all the same"
    with pytest.raises(NotReplicatedError):
        await sure.stored_response(KEYS.stored_response("x"))
    await Committer(clients[0], KEYS).record([created("7", at(7))], progress={})


async def test_when_one_connection_finds_a_demoted_server_idle_ones_are_closed_too(
    node: Node, clients: list[Redis]
) -> None:
    """Idle connections go to the same server, which would still answer reads."""
    pool = clients[0]

    async def open_ones() -> set[int]:
        return set(await asyncio.gather(*(pool.client_id() for _ in range(3))))

    before = await open_ones()
    assert await open_ones() == before, "they are kept"
    await node.ask("CONFIG", "SET", "min-replicas-to-write", "1")
    with pytest.raises(WriteRefusedError):
        await pool.set("x", "y")
    assert not await open_ones() & before
