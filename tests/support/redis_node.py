"""One Redis process, a server or a Sentinel, with a configuration file that it may rewrite."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping
from pathlib import Path
from signal import SIGKILL
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from deploy.local.redis import find_server, wait_until_up
from tests.support.waiting import free_port


class Node:
    """A process that can be stopped and restarted with the same port and files."""

    def __init__(
        self, folder: Path, settings: Mapping[str, object], *more: str, sentinel: bool = False
    ) -> None:
        self.port = free_port()
        self._folder = folder
        self._file = folder / "redis.conf"
        self._sentinel = sentinel
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)
        lines = {"port": self.port, "bind": "127.0.0.1", "dir": folder, "loglevel": "notice"}
        all_of_it = [*(f"{name} {value}" for name, value in {**lines, **settings}.items()), *more]
        self._file.write_text("\n".join(all_of_it) + "\n")

    @property
    def running(self) -> bool:
        """Whether the process exists. It may be paused (SIGSTOP)."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """The id of the running process."""
        assert self._process
        return self._process.pid

    async def start(self, *settings: str) -> None:
        """Start the process unless it runs. Returns when it answers."""
        if self._process is None:
            await asyncio.to_thread(self._start, settings)

    def _start(self, settings: tuple[str, ...]) -> None:
        command = [find_server(), str(self._file), *settings]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                command + ["--sentinel"] * self._sentinel,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                restore_signals=False,  # a full file is an error, it does not end Redis
            )
        wait_until_up(self.port, self._process)

    def signal(self, number: int) -> None:
        """Send a signal that does not end the process."""
        if self._process:
            self._process.send_signal(number)

    async def stop(self, number: int = SIGKILL) -> None:
        """Send a signal that ends the process, and wait for its end. A paused process is killed."""
        if self._process:
            self._process.send_signal(number)
            await asyncio.to_thread(self._process.wait, 20)
            self._process = None

    def client(self, *, timeout: float = 5.0) -> Redis:
        """A client of this process, whether it is the primary or not.

        On a busy machine, a server or the test can stand still for some seconds.
        """
        return Redis(
            port=self.port,
            protocol=2,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
        )

    async def ask(self, *command: object) -> Any:
        """Execute one command on a new connection. Raises RedisError."""
        client = self.client()
        try:
            return await client.execute_command(*command)
        finally:  # redis-py leaves the connection open if its `aclose` is cancelled
            await asyncio.shield(client.aclose())

    async def read_info(self, command: str, section: str) -> dict[str, str]:
        """The `name:value` lines of commands such as `INFO replication` and `CLUSTER INFO`."""
        text = await self.ask(command, section)
        if isinstance(text, dict):
            return {str(name): str(value) for name, value in text.items()}
        lines = (line.partition(":") for line in text.decode().splitlines())
        return {name: value for name, _, value in lines}
