"""Gateways as real processes, the deployment's and those of `make run`, and fanouts behind them."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from deploy.local.gateway import proxy
from deploy.local.processes import Part
from shared.keys import Keys
from tests.fanout.rig import CONTRACT, SUBSCRIBE
from tests.support.name_server import NameServer
from tests.support.processes import ServiceProcess, running
from tests.support.programs import loopback, needed
from tests.support.sse_client import SseClient
from tests.support.waiting import free_port, until

NGINX = Path(__file__).parents[2] / "deploy/nginx"
PORT = 8080
_hosts = itertools.count(11)


@dataclass
class Gateway:
    """A gateway on 127.0.0.1, and what a test does with it."""

    port: int
    tls_port: int
    process: asyncio.subprocess.Process
    clients: list[SseClient] = field(default_factory=list)

    async def subscribe(self, query: str = "all=true", **more) -> SseClient:
        """A client whose answer's head is here."""
        client = await SseClient.connect(self.port, f"{SUBSCRIBE}?{query}", **more)
        self.clients.append(client)
        return await client.answered()


@asynccontextmanager
async def gateway(folder: Path, names: NameServer, **settings: object) -> AsyncIterator[Gateway]:
    """Start nginx as the image does."""
    port, tls_port = free_port(), free_port()
    given = {
        "RUN_FOLDER": folder,
        "TLS_FOLDER": folder,
        "HOST": "127.0.0.1",
        "WORKERS": 1,
        "PORT": port,
        "TLS_PORT": tls_port,
        "RESOLVER": f"127.0.0.1:{names.port}",
        "PATH": f"{Path(needed('nginx')).parent}:{os.environ['PATH']}",
    } | settings
    needed("envsubst")
    part = Part("nginx", ["sh", str(NGINX / "start.sh")], {k: str(v) for k, v in given.items()})
    async with _running(part, folder, port, tls_port) as front:
        yield front


@asynccontextmanager
async def local_gateway(
    kind: str, folder: Path, fanouts: Sequence[str], api: str
) -> AsyncIterator[Gateway]:
    """Start nginx or Caddy as `make run` does; fanouts and API as `host:port`."""
    port = free_port()
    part = proxy(kind, needed(kind), port=port, api=api, fanouts=fanouts, folder=folder)
    async with _running(part, folder, port, 0) as front:
        yield front


@asynccontextmanager
async def _running(part: Part, folder: Path, port: int, tls_port: int) -> AsyncIterator[Gateway]:
    log = folder / f"{part.name}.log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *part.command, env={**os.environ, **part.environment}, stdout=file, stderr=file
        )
    front = Gateway(port, tls_port, process)
    try:
        await until(lambda: _listens(front), what=f"the gateway: {log.read_text()}")
        yield front
    finally:
        for client in front.clients:
            client.close()
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def _listens(front: Gateway) -> bool:
    assert front.process.returncode is None, "the gateway ended at once"
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", front.port)
    except OSError:
        return False
    writer.close()
    return True


def certificate(folder: Path) -> None:
    """A key and a certificate signed by itself, as tls.key and tls.crt."""
    subprocess.run(
        [needed("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-subj", "/CN=localhost", "-days", "1", "-keyout", str(folder / "tls.key"),
         "-out", str(folder / "tls.crt")],
        check=True, capture_output=True,
    )  # fmt: skip


class Fanouts:
    """Replicas on addresses of their own and one port, known by the name `fanout`."""

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
        """A replica, another or a killed one, ready and known by name; returns its address."""
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
        """End these at once by SIGKILL; their addresses stay known."""
        for address in addresses:
            self.by_address[address].signal(signal.SIGKILL)
        for address in addresses:
            await self.by_address[address].ended()

    async def remove(self, address: str) -> None:
        """Kill a replica, and its address is known no more."""
        await self.kill(address)
        del self.by_address[address]
        self._tell_names()

    async def drain(self, address: str) -> None:
        """Tell a replica to stop; it is busy for some seconds with saying goodbye to many."""
        request = f"GET {SUBSCRIBE}?all=true HTTP/1.1\r\nHost: test\r\n\r\n".encode()
        for _ in range(150):  # one every 50 ms
            reader, writer = await asyncio.open_connection(address, PORT)
            self._stack.callback(writer.close)
            writer.write(request)
            await reader.readuntil(b"connected")
        self.by_address[address].signal(signal.SIGTERM)

        async def is_draining() -> bool:
            return (await self.text(address, "/readyz"))[0] == 503

        await until(is_draining)

    async def text(self, address: str, path: str) -> tuple[int, str]:
        """What a replica itself answers."""
        url = f"http://{address}:{PORT}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status, await response.text()

    async def _ready(self, address: str) -> bool:
        return (await self.text(address, "/readyz"))[0] == 200

    async def until_connections(self, address: str, count: int) -> None:
        """Until a replica holds so many."""

        async def there() -> bool:
            return await self.metric(address, "connections") == count

        await until(there, what=f"{count} connections")

    async def metric(self, address: str, name: str) -> float:
        """A metric's value, by its name with labels; 0 while there is none."""
        _, text = await self.text(address, "/metrics")
        found = [line for line in text.splitlines() if line.startswith(f"headrace_fanout_{name} ")]
        return float(found[0].rpartition(" ")[2]) if found else 0.0
