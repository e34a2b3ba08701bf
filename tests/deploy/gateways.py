"""Gateways as real processes: that of the deployment, and those of `make run`."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local.gateway import find_gateway, proxy
from deploy.local.processes import Part
from tests.fanout.replicas import SUBSCRIBE
from tests.support.name_server import NameServer
from tests.support.programs import needed, nginx_with_stream
from tests.support.sse_client import SseClient
from tests.support.waiting import free_port, until

NGINX = Path(__file__).parents[2] / "deploy/nginx"


@dataclass
class Gateway:
    """A gateway on 127.0.0.1, with helpers for tests."""

    port: int
    tls_port: int
    process: asyncio.subprocess.Process
    clients: list[SseClient] = field(default_factory=list)

    async def subscribe(self, query: str = "all=true", **more: Any) -> SseClient:
        """A client that has received the head of its answer."""
        client = await SseClient.connect(self.port, f"{SUBSCRIBE}?{query}", **more)
        self.clients.append(client)
        return await client.answered()


@asynccontextmanager
async def gateway(
    folder: Path, names: NameServer, prefix: Sequence[str] = (), /, **settings: object
) -> AsyncIterator[Gateway]:
    """Start nginx as the image does. `prefix` is a command that starts the start script."""
    port, tls_port = free_port(), free_port()
    given = {
        "RUN_FOLDER": folder,
        "TLS_FOLDER": folder,
        "HOST": "127.0.0.1",
        "WORKERS": 1,
        "PORT": port,
        "TLS_PORT": tls_port,
        "RESOLVER": f"127.0.0.1:{names.port}",
        "PATH": f"{Path(nginx_with_stream()).parent}:{os.environ['PATH']}",
    } | settings
    needed("envsubst")
    command = [*prefix, "sh", str(NGINX / "start.sh")]
    part = Part("nginx", command, {k: str(v) for k, v in given.items()})
    async with _running(part, folder, port, tls_port) as front:
        yield front


@asynccontextmanager
async def local_gateway(
    kind: str, folder: Path, fanouts: Sequence[str], api: str
) -> AsyncIterator[Gateway]:
    """Start nginx or Caddy as `make run` does, with fanouts and API as `host:port`."""
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
    """Whether it listens. It has forgotten this connection: the next one is its first."""
    assert front.process.returncode is None, "the gateway ended at once"
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
        writer.write_eof()
        await reader.read()
    except OSError:
        return False
    writer.close()
    return True


def certificate(folder: Path) -> None:
    """A self-signed certificate and its key, as tls.crt and tls.key."""
    subprocess.run(
        [needed("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-subj", "/CN=localhost", "-days", "1", "-keyout", str(folder / "tls.key"),
         "-out", str(folder / "tls.crt")],
        check=True, capture_output=True,
    )  # fmt: skip


def overloads(client: SseClient) -> list[dict[str, Any]]:
    """The reason that a refused client received."""
    return [event.json for event in client.named("overload")]


def installed_kinds(kinds: Sequence[str] = ("nginx", "caddy")) -> list[str]:
    """The gateways of a local run that are installed. In CI all kinds must be installed."""
    found = []
    for kind in kinds:
        try:
            found.append(find_gateway(kind)[0])
        except LookupError:
            assert os.environ.get("CI") != "true", f"{kind} is missing: .ci/run installs it"
    return found
