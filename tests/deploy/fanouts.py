"""Fanouts behind one name, each with its own address. They start, drain, freeze and die."""

from __future__ import annotations

import asyncio
import itertools
import signal
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager

import aiohttp

from shared.journal.keys import Keys
from tests.fanout.replicas import CONTRACT, SUBSCRIBE
from tests.support.name_server import NameServer
from tests.support.processes import ServiceProcess, running
from tests.support.programs import loopback
from tests.support.waiting import until

PORT = 8080
_hosts = itertools.count(11)


@contextmanager
def silent_host() -> Iterator[str]:
    """An address that does not even refuse, as that of a host which is gone.

    Its queue of connections is full, so that Linux drops what else would connect.
    """
    address = f"{loopback()}.{next(_hosts)}"
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server((address, PORT), backlog=0))
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield address


class Fanouts:
    """Replicas with their own addresses and one port, known by the name `fanout`."""

    def __init__(self, redis_url: str, keys: Keys, names: NameServer) -> None:
        self._common = {
            "REDIS_URL": redis_url,
            "NAMESPACE": keys.namespace,
            "CONTRACTS": CONTRACT,
            "PORT": PORT,
            "TRUSTED_PROXIES": "127.0.0.0/8",
        }
        self._names = names
        self._stack = AsyncExitStack()
        self.by_address: dict[str, ServiceProcess] = {}

    async def __aenter__(self) -> Fanouts:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def start(self, address: str = "", **settings: object) -> str:
        """Start a replica, or one that was killed. Returns its address when it is ready."""
        address = address or f"{loopback()}.{next(_hosts)}"
        environment = {**self._common, "HOST": address, **settings}
        self.by_address[address] = await self._stack.enter_async_context(
            running("services.fanout", **environment)
        )
        await until(lambda: self._ready(address), what="a ready fanout")
        self._tell_names()
        return address

    def _tell_names(self) -> None:
        self._names.addresses = {"fanout": list(self.by_address)}

    async def kill(self, *addresses: str) -> None:
        """Kill these at once by SIGKILL. The name still leads to their addresses."""
        for address in addresses:
            self.by_address[address].signal(signal.SIGKILL)
        for address in addresses:
            await self.by_address[address].ended()

    def freeze(self, address: str) -> None:
        """Freeze a replica by SIGSTOP: its kernel accepts connections, but no process answers."""
        self.by_address[address].signal(signal.SIGSTOP)

    def thaw(self, address: str) -> None:
        """Let a frozen replica continue."""
        self.by_address[address].signal(signal.SIGCONT)

    async def remove(self, address: str) -> None:
        """Kill a replica and remove its address from the name."""
        await self.kill(address)
        del self.by_address[address]
        self._tell_names()

    async def drain(self, address: str) -> None:
        """Stop a replica. It takes some seconds to say goodbye to its many clients."""
        request = f"GET {SUBSCRIBE}?all=true HTTP/1.1\r\nHost: test\r\n\r\n".encode()
        for _ in range(200):  # one every 50 ms, so the test has ten seconds
            reader, writer = await asyncio.open_connection(address, PORT)
            self._stack.callback(writer.close)
            writer.write(request)
            await reader.readuntil(b"connected")
        self.by_address[address].signal(signal.SIGTERM)

        async def is_draining() -> bool:
            return (await self.text(address, "/readyz"))[0] == 503

        await until(is_draining)

    async def text(self, address: str, path: str) -> tuple[int, str]:
        """The answer of a replica itself, without the gateway."""
        url = f"http://{address}:{PORT}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status, await response.text()

    async def _ready(self, address: str) -> bool:
        return (await self.text(address, "/readyz"))[0] == 200

    async def until_connections(self, address: str, count: int) -> None:
        """Wait until a replica holds that many connections."""

        async def there() -> bool:
            return await self.metric(address, "connections") == count

        await until(there, what=f"{count} connections")

    async def metric(self, address: str, name: str) -> float:
        """The value of a metric by its name with labels; 0 if there is none."""
        _, text = await self.text(address, "/metrics")
        found = [line for line in text.splitlines() if line.startswith(f"headrace_fanout_{name} ")]
        return float(found[0].rpartition(" ")[2]) if found else 0.0
