"""A Redis with Sentinel: one primary, two replicas, three Sentinels that elect another primary.

Down after 1.5 s of silence and a failover that may take 2.5 s: an operator's values on a network of
one's own, where a pause of a second is rare. Sentinel's defaults, 30 s and 3 min, are made for
any network; an election that found no winner is repeated after twice the second.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path

from redis.exceptions import RedisError

from tests.support.redis_node import Node
from tests.support.waiting import until

NAME = "headrace"
DOWN_AFTER, FAILOVER = 1500, 2500

SETTINGS = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": '""',
    "repl-diskless-sync-delay": "0",
    "repl-ping-replica-period": "1",
}
"""Settings of every server: AOF as in production, an initial sync without delay, and a ping each
second. A Cluster counts a replica only after its first ping."""


class RedisSentinel:
    """The servers and the Sentinels by port. `url` is the REDIS_URL for services.

    `settings` adds to the settings of every server.
    """

    def __init__(
        self,
        folder: Path,
        *,
        replicas: int = 2,
        sentinels: int = 3,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        settings = SETTINGS | dict(settings or {})
        first = Node(folder / "server-0", settings)
        follow = f"replicaof 127.0.0.1 {first.port}"
        servers = [
            first,
            *(Node(folder / f"server-{n + 1}", settings, follow) for n in range(replicas)),
        ]
        rules = (
            f"sentinel monitor {NAME} 127.0.0.1 {first.port} {sentinels // 2 + 1}",
            f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER}",
            f"sentinel failover-timeout {NAME} {FAILOVER}",
            f"sentinel parallel-syncs {NAME} {replicas}",
        )
        watchers = [
            Node(folder / f"sentinel-{n}", {}, *rules, sentinel=True) for n in range(sentinels)
        ]
        self.servers = {node.port: node for node in servers}
        self.sentinels = {node.port: node for node in watchers}
        self._begun = False

    @property
    def url(self) -> str:
        """The REDIS_URL of this installation."""
        places = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        return f"redis+sentinel://{places}/{NAME}/0"

    async def start(self) -> None:
        """Start the stopped processes. Returns when the Sentinels know primary and replicas."""
        # On the first start the servers come first. Later the Sentinels know the current primary.
        both = (self.sentinels, self.servers) if self._begun else (self.servers, self.sentinels)
        for port in chain(*both):
            await self.start_again(port)
        await until(self.is_well, seconds=60, what="Sentinels that know replicas and each other")
        self._begun = True

    async def start_again(self, port: int) -> None:
        """Restart a process. A server follows the current primary, as with common Helm charts."""
        node = self.servers.get(port) or self.sentinels[port]
        follow: tuple[str, ...] = ()
        if port in self.servers and self._begun and not node.running:
            primary = await self.primary_port()
            follow = ("--replicaof", f"127.0.0.1 {primary}") if primary != port else ()
        await node.start(*follow)

    async def primary_port(self) -> int:
        """The port of the primary, according to most of the Sentinels that answer."""
        answers = await asyncio.gather(*map(self._opinion, self.sentinels.values()))
        votes = Counter(answer for answer in answers if answer)
        return votes.most_common(1)[0][0]

    async def primary(self) -> Node:
        """The primary."""
        return self.servers[await self.primary_port()]

    async def _opinion(self, sentinel: Node) -> int | None:
        with suppress(RedisError, OSError):
            _, port = await sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
            return int(port)
        return None

    async def replicas(self) -> list[Node]:
        """The replicas that are connected to the primary."""
        primary = await self.primary_port()
        found = []
        for node in self.servers.values():
            with suppress(RedisError, OSError):
                info = await node.read_info("INFO", "replication")
                follows = info.get("master_port") == str(primary)
                if follows and info["master_link_status"] == "up":
                    found.append(node)
        return found

    async def is_well(self) -> bool:
        """Whether each running Sentinel could fail over now, and all other servers are replicas.

        All Sentinels must name the same primary: after a failover, one of them may be late. None
        may be in TILT: for 30 s after a pause of 2 s, a Sentinel takes part in no failover.
        """
        named = set()
        with suppress(RedisError, OSError, IndexError):
            for sentinel in self.sentinels.values():
                if sentinel.running:
                    await sentinel.ask("SENTINEL", "CKQUORUM", NAME)
                    if (await sentinel.read_info("INFO", "sentinel"))["sentinel_tilt"] != "0":
                        return False
                    flat = await sentinel.ask("SENTINEL", "REPLICAS", NAME)
                    if len(flat) + 1 < len(self.servers):
                        return False
                    named.add(await self._opinion(sentinel))
            return len(named) == 1 and len(await self.replicas()) + 1 == len(self.servers)
        return False

    async def kill(self, port: int, number: int = signal.SIGKILL) -> None:
        """Kill a server or a Sentinel, or send another signal that ends it."""
        await (self.servers.get(port) or self.sentinels[port]).stop(number)

    async def failed_over(self, former: int, *, seconds: float = 60) -> int:
        """Wait for another primary that knows its role. Returns its port."""

        async def another() -> int:
            with suppress(RedisError, OSError, IndexError):
                primary = await self.primary()
                info = await primary.read_info("INFO", "replication")
                return primary.port if primary.port != former and info["role"] == "master" else 0
            return 0

        return await until(another, seconds=seconds, what=f"a primary other than {former}")

    async def fail_over(self, former: int) -> int:
        """Request failovers until there is another primary. Returns its port."""

        async def asked() -> int:
            with suppress(AssertionError):
                return await self.failed_over(former, seconds=1)
            with suppress(RedisError):  # a failover is running, or no replica is suitable yet
                await next(iter(self.sentinels.values())).ask("SENTINEL", "FAILOVER", NAME)
            return 0

        return await until(asked, seconds=40, what=f"a primary other than {former}")

    async def close(self) -> None:
        """Kill every process."""
        for node in (*self.sentinels.values(), *self.servers.values()):
            await node.stop(signal.SIGKILL)
