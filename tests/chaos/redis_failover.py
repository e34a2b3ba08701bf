"""A world's Redis with replicas that take over: behind Sentinels, or as a Cluster.

Services go there without a proxy between, since Sentinels and nodes tell them the addresses.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared.redis.client import connect
from tests.chaos.losses import Loss
from tests.chaos.redis_single import RedisSingle
from tests.chaos.world import KEYS, MakeRedis
from tests.support.redis_cluster import RedisCluster
from tests.support.redis_node import Node
from tests.support.redis_sentinel import RedisSentinel
from tests.support.tcp_proxy import TcpProxy


class ReplicatedRedis:
    """What both kinds share. `loss_reports` are the times in which writes may have been lost."""

    def __init__(self, whole: RedisSentinel | RedisCluster) -> None:
        self.whole = whole
        self.client = connect(whole.url, slot_key=KEYS.journal)
        self.proxies: dict[str, TcpProxy] = {}
        self.losses: list[Loss] = []
        self._last: Node | None = None

    async def start(self) -> None:
        """Start what does not run, and wait until a replica could take over."""
        await self.whole.start()
        self._last = await self.primary()

    def url_for(self, service: str) -> str:
        """The same for all."""
        return self.whole.url

    async def primary(self) -> Node:
        """The server that takes this world's writes."""
        raise NotImplementedError

    async def elected(self, former: Node) -> None:
        """Until another is the primary."""
        raise NotImplementedError

    async def replicas(self) -> list[Node]:
        """Those that follow it."""
        raise NotImplementedError

    async def stop(self, number: int) -> None:
        """Send the primary a signal that ends it, and wait for the end."""
        await (await self.primary()).stop(number)

    def signal(self, number: int) -> None:
        """Send a signal that does not to whom `start` has found to be the primary."""
        if self._last:
            self._last.signal(number)

    async def close(self) -> None:
        """End all of it, whatever state it is in."""
        await self.client.aclose()
        await self.whole.close()


class SentinelRedis(ReplicatedRedis):
    """One primary, two replicas, three Sentinels."""

    whole: RedisSentinel

    def __init__(self, folder: Path, _: tuple[str, ...]) -> None:
        super().__init__(RedisSentinel(folder / "redis"))

    async def primary(self) -> Node:
        """As the Sentinels say."""
        return await self.whole.primary()

    async def elected(self, former: Node) -> None:
        """Until the Sentinels name another, and it agrees."""
        await self.whole.failed_over(former.port)

    async def replicas(self) -> list[Node]:
        """Those with a link to the primary."""
        return await self.whole.replicas()


class ClusterRedis(ReplicatedRedis):
    """Three primaries with a replica each; the owner of the namespace's slot is the primary."""

    whole: RedisCluster

    def __init__(self, folder: Path, _: tuple[str, ...]) -> None:
        super().__init__(RedisCluster(folder / "redis"))
        self.key = KEYS.journal

    async def primary(self) -> Node:
        """The slot's owner."""
        return self.whole.nodes[await self.whole.owner_port(self.key)]

    async def elected(self, former: Node) -> None:
        """Until another owns the slot, and knows it."""
        await self.whole.failed_over(self.key, former.port)

    async def replicas(self) -> list[Node]:
        """The owner's."""
        return await self.whole.replicas(self.key)


_KINDS: dict[str, MakeRedis] = {
    "single": RedisSingle,
    "sentinel": SentinelRedis,
    "cluster": ClusterRedis,
}


def of_kind(name: str) -> dict[str, Any]:
    """What `run` takes for a kind of Redis; with replicas, the API waits for one of them."""
    waits = {} if name == "single" else {"WAIT_REPLICAS": "1"}
    return {"redis": _KINDS[name], **waits}
