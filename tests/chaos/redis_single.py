"""The Redis of a world: what each kind of it has to do, and the plainest, a single server."""

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
_USERS = ("operator", "indexer", "api", "fanout")
_PASSWORD = "chaos"


class RedisParts(Protocol):
    """All servers of one kind of Redis. `client` is the test's own, past every fault.

    `proxies` has, by the name of a service, the proxy between it and Redis. The world opens and
    closes them. It is empty if services connect to Redis without a proxy.
    """

    client: Redis
    proxies: dict[str, TcpProxy]

    async def start(self) -> None:
        """Start what does not run, and wait until it answers. What was on disk is back."""

    def url_for(self, service: str) -> str:
        """The REDIS_URL of a service; asked for after `start`, with the ways open."""

    async def stop(self, number: int) -> None:
        """Send the server that takes writes a signal that ends it, and wait for the end."""

    def signal(self, number: int) -> None:
        """Send that server a signal that does not end it."""

    async def close(self) -> None:
        """End all of it, whatever state it is in."""


_SERVER = """#!/bin/sh
echo 'user {user} on >{password} ~* &* +@all' >>"$RUN_FOLDER/users.acl"
exec {server} "$@" --appendfsync always
"""
"""In the place of the server: one user more, for the test itself, and every write on disk."""


class RedisSingle:
    """One server as the deployment starts it, with its users, each service as its own.

    Each write is on disk before its answer, so what is acknowledged survives.
    """

    def __init__(self, folder: Path, services: tuple[str, ...]) -> None:
        self.port = free_port()
        self.client = connect(self._url("chaos", self.port), slot_key="any")
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
                restore_signals=False,  # a file that may not grow is an error, not the end
            )

    async def _answers(self) -> bool:
        assert self._process
        code = self._process.poll()
        assert code is None, f"it ended with {code}"
        with suppress(RedisError, OSError):
            return bool(await self.client.ping())
        return False

    async def start_empty(self) -> None:
        """End it, take away all that it had on disk, and start it again."""
        await self.stop(signal.SIGKILL)
        await asyncio.to_thread(shutil.rmtree, self._folder / "data")
        await self.start()

    def url_for(self, service: str) -> str:
        """Through the proxy, as the service's own user."""
        return self._url(service.partition("-")[0], self.proxies[service].port)

    @staticmethod
    def _url(user: str, port: int) -> str:
        return f"redis://{user}:{_PASSWORD}@127.0.0.1:{port}/0"

    async def stop(self, number: int) -> None:
        """Send a signal that ends it, and wait for the end."""
        assert self._process
        self._process.send_signal(number)
        await self._gone(self._process)

    async def _gone(self, process: subprocess.Popen[bytes]) -> None:
        await asyncio.to_thread(process.wait, 20)
        forget(process.pid)
        self._process = None

    def signal(self, number: int) -> None:
        """Send a signal that does not."""
        assert self._process
        self._process.send_signal(number)

    def limit_files(self, full: bool) -> None:
        """A full disk: no file may grow any more, as long as this process lives."""
        assert self._process
        most = 64 if full else resource.RLIM_INFINITY
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    async def has_ended(self) -> bool:
        """Whether the process ended by itself; it may be started again then."""
        if self._process and self._process.poll() is not None:
            await self._gone(self._process)
        return self._process is None

    async def close(self) -> None:
        """Kill it."""
        await self.client.aclose()
        if self._process:
            self._process.kill()
            await self._gone(self._process)
