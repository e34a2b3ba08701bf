"""A primary and its replicas, with a proxy on each connection by which one follows the other.

Nobody watches the servers: a test promotes a replica itself, as a managed service does. So replicas
follow the addresses of the proxies, and clients find the primary at the address of `door`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from signal import SIGKILL

from redis.exceptions import RedisError

from tests.support.redis_node import Node
from tests.support.redis_sentinel import SETTINGS
from tests.support.tcp_proxy import TcpProxy, every_link, no_link
from tests.support.waiting import free_port, until


class LinkedRedis:
    """The servers by port. `links` has the proxy through which each follows the primary.

    `door` is a proxy before the current primary.
    """

    def __init__(
        self, folder: Path, *, replicas: int = 2, settings: Mapping[str, object] | None = None
    ) -> None:
        settings = SETTINGS | dict(settings or {})
        nodes = [Node(folder / f"server-{n}", settings) for n in range(replicas + 1)]
        self.servers = {node.port: node for node in nodes}
        self.links = {node.port: TcpProxy(nodes[0].port) for node in nodes}
        self.door = TcpProxy(nodes[0].port, free_port())
        self.primary = nodes[0]
        self._entrances: list[TcpProxy] = []

    @property
    def proxies(self) -> list[TcpProxy]:
        """The door and all links."""
        return [self.door, *self.links.values()]

    def entrance(self) -> TcpProxy:
        """One more proxy that leads to the primary. The caller opens and closes it."""
        self._entrances.append(TcpProxy(self.primary.port))
        return self._entrances[-1]

    @property
    def replicas(self) -> list[Node]:
        """All servers except the primary."""
        return [node for node in self.servers.values() if node is not self.primary]

    def url_of(self, *nodes: Node) -> str:
        """A URL that names these servers, by default all of them."""
        ports = [node.port for node in nodes] or [*self.servers]
        return f"redis://{','.join(f'127.0.0.1:{port}' for port in ports)}/0"

    @property
    def url(self) -> str:
        """A URL that always leads to the primary."""
        return f"redis://127.0.0.1:{self.door.port}/0"

    async def open(self) -> None:
        """Open the proxies, and start all servers."""
        for proxy in self.proxies:
            await proxy.__aenter__()
        await self.start()

    async def start(self) -> None:
        """Start the stopped servers. Returns when all replicas follow the primary."""
        for port in self.servers:
            await self.start_again(port)
        await until(self.is_well, seconds=60, what="replicas that follow the primary")

    async def start_again(self, port: int) -> None:
        """Start a server that was stopped. It follows the primary, unless it is the primary."""
        link = ("--replicaof", f"127.0.0.1 {self.links[port].port}")
        await self.servers[port].start(*(link if port != self.primary.port else ()))

    async def follow(self, node: Node) -> None:
        """Let a running server follow the primary."""
        await node.ask("REPLICAOF", "127.0.0.1", self.links[node.port].port)

    async def is_well(self) -> bool:
        """Whether every replica runs, has a connection to the primary, and has its writes."""
        with suppress(RedisError, OSError):
            written = await self._offset(self.primary)
            infos = [await node.read_info("INFO", "replication") for node in self.replicas]
            up = all(info.get("master_link_status") == "up" for info in infos)
            return up and all(int(info["slave_repl_offset"]) >= written for info in infos)
        return False

    @staticmethod
    async def _offset(node: Node) -> int:
        return int((await node.read_info("INFO", "replication"))["master_repl_offset"])

    def hold_back(self, *nodes: Node) -> None:
        """Let these replicas lag: nothing reaches them from the primary, and no link is closed."""
        for node in nodes:
            self.links[node.port].frozen = every_link

    def cut_off(self, *nodes: Node) -> None:
        """Close the connections of these replicas to the primary, and refuse new ones."""
        for node in nodes:
            self.links[node.port].refusing = True
            self.links[node.port].cut()

    def let_in(self) -> None:
        """Undo `hold_back` and `cut_off`."""
        for proxy in self.links.values():
            proxy.frozen, proxy.refusing = no_link, False

    async def most_data(self) -> Node:
        """The running replica that has most of the primary's writes."""
        offsets = {}
        for node in self.replicas:
            with suppress(RedisError, OSError):
                info = await node.read_info("INFO", "replication")
                offsets[node.port] = int(info["slave_repl_offset"])
        return self.servers[max(offsets, key=offsets.__getitem__)]

    async def promote(self, node: Node) -> None:
        """Make a replica the primary, which all others follow from now on."""
        await node.ask("REPLICAOF", "NO", "ONE")
        self.primary = node
        for proxy in (*self.proxies, *self._entrances):
            proxy.target = node.port
            proxy.cut()

    async def close(self) -> None:
        """Kill every server, and close the proxies."""
        for node in self.servers.values():
            await node.stop(SIGKILL)
        for proxy in self.proxies:
            await proxy.__aexit__(None, None, None)


@asynccontextmanager
async def linked_redis(folder: Path) -> AsyncIterator[LinkedRedis]:
    """A primary and two replicas that run and are linked."""
    servers = LinkedRedis(folder)
    try:
        await servers.open()
        yield servers
    finally:
        await servers.close()
