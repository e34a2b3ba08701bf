"""A complete installation in separate processes: all that `make run` starts, on free ports."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from deploy.local import redis as local_redis
from deploy.local.follow import events
from deploy.local.plan import parts, read_chain
from deploy.local.ports import Ports, UnusableSetupError, read_ports
from deploy.local.processes import Part, Processes
from deploy.simulator.chain import accounts
from tests.support.waiting import own_ports, until


def free_ports() -> Ports:
    """A base port for which all ports of the installation are free."""
    while True:
        try:
            return read_ports({"PORT_BASE": str(random.choice(own_ports()[:-100:100]))})
        except UnusableSetupError:
            continue


class Installation:
    """The running parts by name, with helpers for requests."""

    def __init__(self, ports: Ports, processes: Processes, by_name: dict[str, Part]) -> None:
        self.ports = ports
        self._processes = processes
        self._parts = by_name
        self.session = aiohttp.ClientSession(read_bufsize=1 << 20)

    def url(self, port: int) -> str:
        return f"http://127.0.0.1:{port}"

    def log_of(self, name: str) -> str:
        return self._processes.log_of(name).read_text()

    def kill(self, name: str) -> None:
        """Kill a part with SIGKILL, so that it cannot shut down in order."""
        process = self._processes.running[name]
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a part, such as SIGSTOP, with which it stays but does nothing."""
        self._processes.running[name].send_signal(number)

    def start(self, name: str) -> None:
        self._processes.start(self._parts[name])

    async def get(self, port: int, path: str) -> tuple[int, Any]:
        async with self.session.get(self.url(port) + path) as response:
            return response.status, json.loads(await response.text())

    async def until_ready(self) -> None:
        """Wait until the gateway's /readyz is 200. Fails at once when a part has ended."""

        async def well() -> bool:
            self._processes.check()
            return await self.ready(self.ports.gateway)

        try:
            await until(well, seconds=90, what="gateway's /readyz")
        except AssertionError as error:
            tails = (f"{name}:\n{self._processes.tail(name)}" for name in self._processes.running)
            raise AssertionError("\n".join((str(error), *tails))) from None

    async def ready(self, port: int) -> bool:
        try:
            async with self.session.get(self.url(port) + "/readyz") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False


@asynccontextmanager
async def installation(
    folder: Path, *, archive: str = "", webhooks: bool = False, **environment: str
) -> AsyncIterator[Installation]:
    """Start all parts, wait until they are ready, and stop them at the end.

    `archive` is the name of a folder in `folder` for the archive. If it is empty, there is no
    archiver. With `webhooks`, there is a dispatcher.
    """
    ports = free_ports()
    chain = read_chain({}, ports)
    processes = Processes(folder / "logs")
    redis_folder = folder / "redis"
    redis_folder.mkdir()
    processes.start(Part("redis", local_redis.command(ports.redis, redis_folder)))
    os.environ.pop("REDIS_URL", None)
    url = f"file://{folder / archive}" if archive else ""
    by_name = {
        part.name: Part(part.name, part.command, {**part.environment, **environment}, part.port)
        for part in parts(ports, chain, folder, archive=url, webhooks=webhooks)
    }
    for part in by_name.values():
        processes.start(part)
    whole = Installation(ports, processes, by_name)
    try:
        await whole.until_ready()
        yield whole
    finally:
        await whole.session.close()
        processes.stop()


class Reachable(Protocol):
    """A set of services with a gateway: an installation, or the services of a compose file."""

    session: aiohttp.ClientSession

    def url(self, port: int) -> str: ...


class Client:
    """An EventSource that reconnects with its last id, to each of several URLs in turn."""

    def __init__(self, whole: Reachable, query: str, *ports: int) -> None:
        self._whole = whole
        self._urls = [f"{whole.url(port)}/v1/events/subscribe?{query}" for port in ports]
        self._task = asyncio.create_task(self._run())
        self.last: str | None = None
        self.began: str | None = None
        self.names: list[str] = []
        self.events: list[dict[str, Any]] = []
        self.connections = 0

    async def _run(self) -> None:
        while True:
            url = self._urls[self.connections % len(self._urls)]
            self.connections += 1
            try:
                async for name, data, position in events(self._whole.session, url, self.last):
                    self.last = position or self.last
                    self.began = self.began or position
                    self.names.append(name)
                    if name.startswith(("stream.", "contract.", "chain.")):
                        self.events.append(json.loads(data))
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)

    @property
    def ids(self) -> list[str]:
        return [event["id"] for event in self.events]

    async def cut(self) -> None:
        """Close the connection and reconnect with the last id."""
        await self.close()
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def create_stream(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    """Create an API stream through the gateway at `url`."""
    body = {
        "sender": accounts.address("alice"),
        "recipient": accounts.address("bob"),
        "tokenAddress": accounts.TOKEN,
        "ratePerSecond": "5",
        "depositedAmount": "100000",
    }
    async with session.post(f"{url}/v1/streams", json=body) as response:
        text = await response.text()
        assert response.status == 201, text
        document: dict[str, Any] = json.loads(text)
        return document
