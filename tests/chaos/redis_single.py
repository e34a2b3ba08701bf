"""The Redis of a world: the interface of each kind, and the simplest kind, a single server."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from deploy.local import redis as local_redis
from shared.redis.client import connect
from tests.chaos.clocks import Clock, forget
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import free_port, until

_DEPLOYED = Path(__file__).parents[2] / "deploy/redis"
_USERS = ("operator", "indexer", "api", "fanout", "archiver", "webhooks")
_PASSWORD = "chaos"


class RedisParts(Protocol):
    """All servers of one kind of Redis. `client` is for the test; no fault affects it.

    `proxies` has, by the name of a service, the proxy between it and Redis. The world opens and
    closes them. It is empty if services connect to Redis without a proxy.
    """

    client: Redis
    proxies: dict[str, TcpProxy]

    @property
    def feed_url(self) -> str:
        """The FEED_REDIS_URL of the fanouts. Empty if they read the primary."""

    async def start(self) -> None:
        """Start all stopped servers, and wait until they answer. They have their data from disk."""

    def url_for(self, service: str) -> str:
        """The REDIS_URL of a service. Call this after `start`, with open proxies."""

    async def stop(self, number: int) -> None:
        """Send the server that accepts writes a signal that ends it, and wait for its end."""

    def signal(self, number: int) -> None:
        """Send that server a signal that does not end it."""

    async def close(self) -> None:
        """Stop all servers, whatever their state."""


_SERVER = """#!/bin/sh
echo 'user {user} on >{password} ~* &* +@all' >>"$RUN_FOLDER/users.acl"
exec {server} "$@" --appendfsync always
"""
"""A script in place of the server: it adds a user for the test, and writes everything to disk."""


class RedisSingle:
    """One server, started as in production, with one user for each service.

    Each write is on disk before Redis answers, so acknowledged writes survive a crash.
    """

    feed_url = ""

    def __init__(self, folder: Path, services: tuple[str, ...]) -> None:
        self.port = free_port()
        self.client = connect(self._url("chaos", self.port), slot_key="any", timeout=10)
        self.proxies = {service: TcpProxy(self.port) for service in services}
        self.clock = Clock(folder / "redis.clock")
        self._folder = folder / "redis"
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it on the same port and files."""
        if self._process is None:
            await asyncio.to_thread(self._start)
            await until(self._answers, seconds=20, what=f"Redis: {self._folder}/redis.log")

    def _start(self) -> None:
        data = self._folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        server = self._folder / "server"
        text = _SERVER.format(user="chaos", password=_PASSWORD, server=local_redis.find_server())
        server.write_text(text, encoding="ascii")
        server.chmod(0o755)
        given = {f"{user.upper()}_REDIS_PASSWORD": _PASSWORD for user in _USERS}
        given |= {"REDIS_SERVER": str(server), "HOST": "127.0.0.1", "PORT": str(self.port)}
        given |= {"DATA_FOLDER": str(data), "RUN_FOLDER": str(self._folder)}
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", str(_DEPLOYED / "start.sh")],
                env=os.environ | given | self.clock.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                restore_signals=False,  # at its limit, a write fails instead of ending the process
            )

    async def _answers(self) -> bool:
        assert self._process
        code = self._process.poll()
        assert code is None, f"it ended with {code}"
        with suppress(RedisError, OSError):
            return bool(await self.client.ping())
        return False

    async def start_empty(self) -> None:
        """Kill it, delete its files, and start it again."""
        await self.stop(signal.SIGKILL)
        await asyncio.to_thread(shutil.rmtree, self._folder / "data")
        await self.start()

    def url_for(self, service: str) -> str:
        """The URL of the service's proxy, with the service's user."""
        return self._url(service.partition("-")[0], self.proxies[service].port)

    @staticmethod
    def _url(user: str, port: int) -> str:
        return f"redis://{user}:{_PASSWORD}@127.0.0.1:{port}/0"

    async def stop(self, number: int) -> None:
        """Send a signal that ends it, and wait until it has ended."""
        assert self._process
        self._process.send_signal(number)
        await self._gone(self._process)

    async def _gone(self, process: subprocess.Popen[bytes]) -> None:
        await asyncio.to_thread(process.wait, 20)
        forget(process.pid)
        self._process = None

    def signal(self, number: int) -> None:
        """Send a signal that does not end it."""
        assert self._process
        self._process.send_signal(number)

    def limit_files(self, full: bool) -> None:
        """Simulate a full disk: no file of this process may grow."""
        assert self._process
        most = 64 if full else resource.RLIM_INFINITY
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    async def has_ended(self) -> bool:
        """True if the process ended by itself. It can then be started again."""
        if self._process and self._process.poll() is not None:
            await self._gone(self._process)
        return self._process is None

    async def close(self) -> None:
        """Kill it."""
        await self.client.aclose()
        if self._process:
            self._process.kill()
            await self._gone(self._process)


class RedisDirect(RedisSingle):
    """The same server without proxies. It is for measurements, because proxies add a delay."""

    def __init__(self, folder: Path, services: tuple[str, ...]) -> None:
        super().__init__(folder, services)
        self.proxies = {}

    def url_for(self, service: str) -> str:
        """The URL of the server, with the service's user."""
        return self._url(service.partition("-")[0], self.port)
