"""A peer: Nchan, a module of nginx. Starts it, and publishes to its channels."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from string import Template

from tests.bench import processes
from tests.bench.environment import BenchEnvironment
from tests.bench.processes import Server
from tests.support.waiting import free_port

_MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
INSTALLED = _MODULE.exists()
GREETING = "HTTP/1.1 200 OK"
"""Nchan sends no event when a client has connected."""

_FRAME_AROUND = 100
"""The bytes of a frame around the padding: the fields' names, the id, and the time."""


def path(channel: str) -> str:
    """The path to subscribe to a channel."""
    return f"/subscribe/{channel}"


@contextmanager
def nchan(env: BenchEnvironment) -> Iterator[Server]:
    """Yields the worker of nginx."""
    port, folder = free_port(), env.folder / "nchan"
    folder.mkdir(exist_ok=True)
    template = Template(Path(__file__).with_name("nchan.conf.template").read_text("utf-8"))
    config = folder / "nchan.conf"
    config.write_text(template.substitute(module=_MODULE, folder=folder, port=port))
    with processes.command("nginx", "-p", str(folder), "-c", str(config), port=port) as server:
        yield processes.child_of(server)


class NchanPublisher:
    """Keeps a connection for each of the requests that are sent at the same time."""

    def __init__(self, connections: Sequence[tuple[asyncio.StreamReader, asyncio.StreamWriter]]):
        self._connections = connections

    async def publish(self, channels: Sequence[str], frame_bytes: int) -> None:
        """Publish one event to each of the channels, and wait for the answers."""
        now = time.time_ns() // 1000
        body = b'{"publishedAt":%d,"x":"' % now
        body = body.ljust(frame_bytes - _FRAME_AROUND, b"x") + b'"}'
        for channel, (_, writer) in zip(channels, self._connections, strict=True):
            head = f"POST /publish/{channel} HTTP/1.1\r\nHost: bench\r\n"
            head += f"X-EventSource-Event: stream.x\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
        for reader, _ in self._connections:
            await _read_answer(reader)


async def _read_answer(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    if not head.startswith("http/1.1 20"):
        raise RuntimeError(head)
    _, found, rest = head.partition("content-length: ")
    await reader.readexactly(int(rest.partition("\r\n")[0]) if found else 0)


@asynccontextmanager
async def publisher(server: Server, channels_at_once: int = 1) -> AsyncIterator[NchanPublisher]:
    """A publisher that can publish to this many channels at the same time."""
    connections = [
        await asyncio.open_connection("127.0.0.1", server.port) for _ in range(channels_at_once)
    ]
    yield NchanPublisher(connections)
    for _, writer in connections:
        writer.close()
