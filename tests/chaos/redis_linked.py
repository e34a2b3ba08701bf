"""Redis with two replicas that the fanouts read, and a proxy on each link between the servers.

Services find the primary at one address, as with a managed Redis. Nobody watches the servers: when
the primary is gone, the test promotes a replica.
"""

from __future__ import annotations

from pathlib import Path

from shared.redis.client import connect
from tests.chaos.losses import Loss
from tests.chaos.redis_failover import ReplicatedRedis
from tests.chaos.world import KEYS
from tests.support.pace import last
from tests.support.redis_links import LinkedRedis
from tests.support.redis_node import Node

_NOTICED = 1.0
"""Seconds until the death of the primary is noticed."""


class RedisLinked(ReplicatedRedis):
    """One primary, two replicas. `promoted_next` is promoted although another has more data."""

    servers: LinkedRedis

    def __init__(self, folder: Path, services: tuple[str, ...]) -> None:
        self.servers = LinkedRedis(folder / "redis")
        self.proxies = {service: self.servers.entrance() for service in services}
        self.client = connect(self.servers.url, slot_key=KEYS.journal)
        self.losses: list[Loss] = []
        self.promoted_next: Node | None = None

    async def start(self) -> None:
        """Start all servers, and wait until the replicas follow the primary."""
        await self.servers.open()

    def url_for(self, service: str) -> str:
        """The address at which this service finds the primary."""
        return f"redis://127.0.0.1:{self.proxies[service].port}/0"

    @property
    def feed_url(self) -> str:
        """All servers. Fanouts prefer the replicas."""
        return self.servers.url_of()

    async def primary(self) -> Node:
        """The server that accepts writes."""
        return self.servers.primary

    async def elected(self, former: Node) -> None:
        """Promote a replica, after the time that a managed service needs to notice."""
        await last(_NOTICED)
        node, self.promoted_next = self.promoted_next, None
        await self.servers.promote(node or await self.servers.most_data())

    async def demote(self, node: Node) -> None:
        """Let a server that hung follow the primary."""
        await self.servers.follow(node)

    async def replicas(self) -> list[Node]:
        """The replicas of the primary."""
        return [node for node in self.servers.replicas if node.running]

    def signal(self, number: int) -> None:
        """Send the primary a signal that does not end it."""
        self.servers.primary.signal(number)
