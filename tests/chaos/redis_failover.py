"""Redis with replicas, behind Sentinels or as a Cluster.

Services connect without a proxy, since Sentinels and nodes tell them the addresses.
"""

from __future__ import annotations

from pathlib import Path

from shared.redis.client import connect
from tests.chaos.insist import insist
from tests.chaos.losses import Loss
from tests.chaos.world import KEYS
from tests.support.redis_cluster import RedisCluster
from tests.support.redis_links import LinkedRedis
from tests.support.redis_node import Node
from tests.support.redis_sentinel import RedisSentinel
from tests.support.tcp_proxy import TcpProxy

_NO_SECOND_PRIMARY = {"min-replicas-to-write": 1, "min-replicas-max-lag": 5}
"""A primary that lost its replicas refuses writes, as docs/operations/redis.md tells operators."""


class ReplicatedRedis:
    """The common part of all kinds. `losses` has the times in which writes may have been lost."""

    servers: RedisSentinel | RedisCluster | LinkedRedis

    def __init__(self, servers: RedisSentinel | RedisCluster) -> None:
        self.servers = servers
        self.client = connect(servers.url, slot_key=KEYS.journal)
        self.proxies: dict[str, TcpProxy] = {}
        self.losses: list[Loss] = []
        self._last: Node | None = None

    @property
    def feed_url(self) -> str:
        """The FEED_REDIS_URL of the fanouts: by default they read the primary."""
        return ""

    async def start(self) -> None:
        """Start all stopped servers, and wait until a replica could become the primary."""
        await self.servers.start()
        self._last = await insist(self.primary)

    def url_for(self, service: str) -> str:
        """The same URL for all services."""
        return self.servers.url

    async def primary(self) -> Node:
        """The server that accepts writes."""
        raise NotImplementedError

    async def elected(self, former: Node) -> None:
        """Wait until another server is the primary."""
        raise NotImplementedError

    async def demote(self, node: Node) -> None:
        """Let a server that hung follow the primary. Sentinels and a Cluster do it themselves."""

    async def replicas(self) -> list[Node]:
        """The replicas of the primary."""
        raise NotImplementedError

    async def stop(self, number: int) -> None:
        """Send the primary a signal that ends it, and wait until it has ended."""
        await (await self.primary()).stop(number)

    def signal(self, number: int) -> None:
        """Send a signal that does not end it to the server that was the primary at `start`."""
        if self._last:
            self._last.signal(number)

    async def close(self) -> None:
        """Stop all servers, whatever their state."""
        await self.client.aclose()
        await self.servers.close()


class SentinelRedis(ReplicatedRedis):
    """One primary, two replicas, three Sentinels."""

    servers: RedisSentinel

    def __init__(self, folder: Path, _: tuple[str, ...]) -> None:
        super().__init__(RedisSentinel(folder / "redis", settings=_NO_SECOND_PRIMARY))

    async def primary(self) -> Node:
        """The primary that the Sentinels name."""
        return await self.servers.primary()

    async def elected(self, former: Node) -> None:
        """Wait until the Sentinels name another server, and it is a primary."""
        await self.servers.failed_over(former.port)

    async def replicas(self) -> list[Node]:
        """The replicas with a connection to the primary."""
        return await self.servers.replicas()


class SentinelReplicas(SentinelRedis):
    """The same, with fanouts that read the replicas."""

    @property
    def feed_url(self) -> str:
        """The Sentinels, which know the replicas."""
        return self.servers.url


class ClusterRedis(ReplicatedRedis):
    """Three primaries with a replica each; the owner of the namespace's slot is the primary."""

    servers: RedisCluster

    def __init__(self, folder: Path, _: tuple[str, ...]) -> None:
        super().__init__(RedisCluster(folder / "redis"))
        self.key = KEYS.journal

    async def primary(self) -> Node:
        """The owner of the slot."""
        return self.servers.nodes[await self.servers.owner_port(self.key)]

    async def elected(self, former: Node) -> None:
        """Wait until another node owns the slot and knows it."""
        await self.servers.failed_over(self.key, former.port)

    async def replicas(self) -> list[Node]:
        """The replicas of the owner."""
        return await self.servers.replicas(self.key)
