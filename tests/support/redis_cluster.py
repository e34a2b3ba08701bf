"""A Redis Cluster: three primaries that share the slots, each with a replica.

A node counts as failed after 2 s instead of the default 15 s. Below one second, nodes on a busy
machine would count as failed too. When a slot has no owner, the other slots stay in use
(`cluster-require-full-coverage no`), because a namespace needs only its own slot.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from itertools import chain, combinations
from pathlib import Path
from typing import NamedTuple

from redis.crc import key_slot
from redis.exceptions import RedisError

from tests.support.redis_node import Node
from tests.support.redis_sentinel import SETTINGS
from tests.support.waiting import free_port, until

SLOTS = 16_384
NODE_TIMEOUT = 2000


class Share(NamedTuple):
    """The slots from `first` to `last`, and the ports of their primary and its replicas."""

    first: int
    last: int
    owner: int
    replicas: tuple[int, ...]


class Move(NamedTuple):
    """A slot that is being moved. Calls with several keys can get TRYAGAIN, with one key ASK."""

    slot: int
    source: Node
    target: Node

    async def some(self, count: int) -> bool:
        """Move this many keys. False when none is left."""
        names = await self.source.ask("CLUSTER", "GETKEYSINSLOT", self.slot, count)
        await self.these(*names)
        return bool(names)

    async def these(self, *names: str | bytes) -> None:
        """Move these keys."""
        if names:
            to = ("127.0.0.1", self.target.port, "", 0, 4000)
            await self.source.ask("MIGRATE", *to, "KEYS", *names)


def _shares_with(key: str, shares: Iterable[Share]) -> list[Share]:
    """Those of the shares that contain the key's slot: one, or none without an owner."""
    slot = key_slot(key.encode())
    return [share for share in shares if share.first <= slot <= share.last]


class RedisCluster:
    """The nodes by port. `url` is the REDIS_URL for services."""

    def __init__(self, folder: Path, *, primaries: int = 3) -> None:
        self._buses: dict[int, int] = {}
        nodes = [self._node(folder / f"node-{n}") for n in range(2 * primaries)]
        self.nodes = {node.port: node for node in nodes}
        self._primaries, self._replicas = nodes[:primaries], nodes[primaries:]
        self._begun = False

    def _node(self, folder: Path) -> Node:
        bus = free_port()
        settings = {
            **SETTINGS,
            "cluster-enabled": "yes",
            "cluster-port": bus,
            "cluster-node-timeout": NODE_TIMEOUT,
            "cluster-require-full-coverage": "no",
        }
        node = Node(folder, settings)
        self._buses[node.port] = bus
        return node

    @property
    def url(self) -> str:
        """The REDIS_URL of this installation."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in self.nodes)

    async def start(self) -> None:
        """Start the stopped nodes. Returns when every slot has an owner with a replica."""
        await asyncio.gather(*(node.start() for node in self.nodes.values()))
        if not self._begun:
            await self._found()
            self._begun = True
        await until(self.is_well, seconds=90, what="a cluster whose owners all have replicas")

    async def _found(self) -> None:
        """Create the Cluster: assign the slots, connect the nodes, give each primary a replica."""
        for n, node in enumerate(self.nodes.values()):
            await node.ask("CLUSTER", "SET-CONFIG-EPOCH", n + 1)
        share = -(-SLOTS // len(self._primaries))
        for n, node in enumerate(self._primaries):
            end = min((n + 1) * share, SLOTS) - 1
            await node.ask("CLUSTER", "ADDSLOTSRANGE", n * share, end)
        for one, other in combinations(self.nodes.values(), 2):
            await one.ask("CLUSTER", "MEET", "127.0.0.1", other.port, self._buses[other.port])
        await until(self._acquainted, seconds=60, what="nodes that know each other")
        for primary, replica in zip(self._primaries, self._replicas, strict=True):
            await replica.ask("CLUSTER", "REPLICATE", await self.id_of(primary))

    async def _acquainted(self) -> bool:
        found = await asyncio.gather(*map(self._state, self.nodes.values()))
        count = str(len(self.nodes))
        return all(
            each["cluster_known_nodes"] == count and each["cluster_state"] == "ok" for each in found
        )

    async def _state(self, node: Node) -> dict[str, str]:
        return await node.read_info("CLUSTER", "INFO")

    async def id_of(self, node: Node) -> str:
        """The node id."""
        return str((await node.ask("CLUSTER", "MYID")).decode())

    async def is_well(self) -> bool:
        """Whether all running nodes agree on the owners, and each owner has a current replica."""
        with suppress(RedisError, OSError):
            maps = [await self._map(node) for node in self._running()]
            shares = maps[0]
            covered = sum(share.last - share.first + 1 for share in shares)
            if covered < SLOTS or any(each != shares for each in maps):
                return False
            in_step = [await self._in_step(share.replicas) for share in shares]
            return all(in_step)
        return False

    async def _in_step(self, ports: Iterable[int]) -> bool:
        links = [await self.nodes[port].read_info("INFO", "replication") for port in ports]
        return any(link.get("master_link_status") == "up" for link in links)

    def _running(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.running]

    async def _map(self, node: Node) -> list[Share]:
        """The owners of the slots as this node knows them, without failed replicas."""
        rows = await node.ask("CLUSTER", "SLOTS")
        return sorted(
            Share(first, end, owner[1], tuple(sorted(each[1] for each in replicas)))
            for first, end, owner, *replicas in rows
        )

    # ── the owner of a key ──

    async def owner_port(self, key: str) -> int:
        """The owner of the key's slot, according to most of the nodes that answer."""
        answers = await asyncio.gather(*(self._owners(node, key) for node in self._running()))
        return Counter(chain(*answers)).most_common(1)[0][0]

    async def _owners(self, node: Node, key: str) -> list[int]:
        """The owner of the key's slot as this node knows it. Empty if it has none or is away."""
        with suppress(RedisError, OSError):
            return [share.owner for share in _shares_with(key, await self._map(node))]
        return []

    async def replicas(self, key: str) -> list[Node]:
        """The replicas of the key's owner, as the owner knows them."""
        owner = await self.owner_port(key)
        (share,) = _shares_with(key, await self._map(self.nodes[owner]))
        return [self.nodes[port] for port in share.replicas]

    async def kill(self, port: int, number: int = signal.SIGKILL) -> None:
        """Kill a node, or send another signal that ends it."""
        await self.nodes[port].stop(number)

    async def start_again(self, port: int) -> None:
        """Restart a node. The other nodes make it a replica of the new owner."""
        await self.nodes[port].start()

    async def failed_over(self, key: str, former: int, *, seconds: float = 60) -> int:
        """Wait for another owner of the key that knows its role. Returns its port."""

        async def another() -> int:
            with suppress(RedisError, OSError, IndexError):
                owner = await self.owner_port(key)
                if owner != former:
                    own = _shares_with(key, await self._map(self.nodes[owner]))
                    if any(share.owner == owner for share in own):
                        return owner
            return 0

        return await until(another, seconds=seconds, what=f"an owner of {key} other than {former}")

    async def move_slot(self, key: str) -> int:
        """Move the key's slot with all its keys to another primary. Returns its port."""
        async with self.moving(key) as move:
            while await move.some(100):
                pass
        return move.target.port

    @asynccontextmanager
    async def moving(self, key: str) -> AsyncIterator[Move]:
        """Start to move the key's slot to another primary. The end of the block completes it."""
        slot, former = key_slot(key.encode()), await self.owner_port(key)
        shares = await self._map(self.nodes[former])
        port = next(share.owner for share in shares if share.owner != former)
        move = Move(slot, self.nodes[former], self.nodes[port])
        names = {each: await self.id_of(each) for each in (move.source, move.target)}
        await move.target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", names[move.source])
        await move.source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", names[move.target])
        yield move
        for node in (move.target, move.source, *self._running()):
            with suppress(RedisError, OSError):  # a replica gets it from its primary
                await node.ask("CLUSTER", "SETSLOT", slot, "NODE", names[move.target])

    async def close(self) -> None:
        """Kill every process."""
        for node in self.nodes.values():
            await node.stop(signal.SIGKILL)
