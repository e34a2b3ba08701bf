"""deploy/compose.yaml as plain processes: its own commands, environments and healths, no engine.

What an engine would do is done here: each replica has an address of its own on loopback, keeps the
ports that it has in its container, runs in a folder that holds what its image holds, and finds the
others by name. What an engine isolates (networks, users, limits, read-only files) is not tried.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

from deploy.local.redis import find_server
from tests.deploy.addresses import Addresses
from tests.deploy.dockerfile import ROOT, Image
from tests.deploy.replica import Places, Running, listens, with_our_python
from tests.support.name_server import NameServer
from tests.support.programs import needed, nginx_with_stream
from tests.support.redis_servers import redis_tools
from tests.support.waiting import until

DEPLOY = ROOT / "deploy"


def read_compose(
    env_file: str, *more: str, folder: Path | str = DEPLOY, **environment: str
) -> dict[str, Any]:
    """All of compose.yaml with variables filled in, like the output of `docker compose config`.

    `more` are files that change it. `folder` has all files.
    """
    command = [needed("docker-compose")]
    command += [
        part for name in ("compose.yaml", *more) for part in ("-f", str(Path(folder) / name))
    ]
    command += ["--env-file", str(Path(folder) / env_file), "--profile", "*"]
    done = subprocess.run(
        [*command, "config", "--format", "json"],
        env={"PATH": os.environ["PATH"], "HOME": "/", **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ValueError(done.stderr)
    return dict(json.loads(done.stdout))


class Composed:
    """The replicas of each service. `names` maps each host name to addresses.

    `first` is the number of the first address, if two of these run side by side.
    """

    def __init__(
        self,
        folder: Path,
        services: dict[str, Any],
        names: NameServer,
        server: str | None = None,
        first: int = 1,
    ) -> None:
        self.server = server or find_server()  # which Redis or Valkey is the one in the file
        self.session = aiohttp.ClientSession(read_bufsize=1 << 20)
        self.running: dict[str, list[Running]] = {}
        self.services = services
        self.addresses = Addresses(names, self.running, first)
        self._folder = folder

    async def up(self) -> None:
        """Start all services with the replicas of the file, and wait for their health checks."""
        later = [name for name in self.services if self.services[name].get("depends_on")]
        for name in sorted(self.services, key=later.__contains__):
            for _ in range(self.services[name]["deploy"].get("replicas", 1)):
                self._start(name)
            if name not in later:
                await self.until_healthy(name)
        for name in self.services:
            await self.until_healthy(name)

    async def scale(self, name: str, count: int) -> None:
        """Scale a service up, like `--scale name=count`."""
        while len(self.running[name]) < count:
            self._start(name)
        await self.until_healthy(name)

    async def until_healthy(self, name: str) -> None:
        """Wait until every replica passes its health check."""
        try:
            await until(lambda: self.healthy(name), seconds=120, what=f"a healthy {name}")
        except AssertionError as error:
            raise AssertionError(
                "\n".join([str(error), *(r.log for r in self.running[name])])
            ) from None

    def url(self, port: int, name: str = "gateway", replica: int = 0) -> str:
        """The address of a replica."""
        return f"http://{self.running[name][replica].address}:{port}"

    async def text(self, name: str, path: str, replica: int = 0) -> str:
        """The answer of a replica to a GET."""
        async with self.session.get(self.url(8080, name, replica) + path) as response:
            return await response.text()

    async def down(self) -> None:
        """Kill everything at once. Other tests try how a service ends properly."""
        await self.session.close()
        everyone = [each for replicas in self.running.values() for each in replicas]
        for each in everyone:
            with suppress(ProcessLookupError):
                os.killpg(each.process.pid, signal.SIGKILL)
        for each in everyone:
            await asyncio.to_thread(each.process.wait, 30)
        await self.addresses.close()

    async def healthy(self, name: str) -> bool:
        """Whether every replica passes its health check. Fails when one has ended."""
        checks = [self._is_well(name, each) for each in self.running[name]]
        return all(await asyncio.gather(*checks))

    async def _is_well(self, name: str, replica: Running) -> bool:
        code = replica.process.poll()
        assert code is None, f"{name} ended with {code}:\n{replica.log}"
        if not await listens(replica.address, int(replica.environment["PORT"])):
            return False  # the check below starts a process, which costs more
        if replica.image is None:
            _, *parts = self.services[name]["healthcheck"]["test"]
            check = [replica.place.of(part) for part in parts]
        else:
            check = self._translated(replica.image.health_check, replica)
        nothing = asyncio.subprocess.DEVNULL
        done = await asyncio.create_subprocess_exec(
            *check, env=self._environment(replica), stdout=nothing, stderr=nothing
        )
        return await done.wait() == 0

    async def stop(self, name: str, number: int = signal.SIGTERM) -> None:
        """Like `docker compose stop` or `kill`: end every replica of a service and wait."""
        for each in self.running[name]:
            each.process.send_signal(number)
            await asyncio.to_thread(each.process.wait, 30)

    async def start(self, name: str) -> None:
        """Like `docker compose start`: start the ended replicas with the files that they had."""
        for each in self.running[name]:
            if each.process.poll() is not None:
                self._launch(name, each)
        await self.until_healthy(name)

    async def run(
        self, name: str, command: list[str], stdin: bytes = b"", **more: str
    ) -> tuple[int | None, bytes, str]:
        """Like `docker compose exec` or `run` with `more` variables: code, output and errors."""
        replica = self.running[name][0]
        done = await asyncio.create_subprocess_exec(
            *(replica.place.of(part) for part in with_our_python(command)),
            cwd=replica.workdir,
            env=self._environment(replica) | more,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await done.communicate(stdin)
        return done.returncode, output, errors.decode()

    def _translated(self, check: list[str], replica: Running) -> list[str]:
        program = {"python": sys.executable, "wget": needed("curl")}[check[0]]
        if program == sys.executable:
            return [program, *check[1:]]
        return [program, "-sf", check[-1].replace("127.0.0.1", replica.address)]

    async def recreate(self, name: str, service: dict[str, Any]) -> None:
        """Like `docker compose up` after a change: start the replicas anew from this definition."""
        self.services[name] = service
        await self.stop(name)
        for each in self.running[name]:
            each.environment = self._given(service, each.image, each.place, each.address)
            self._launch(name, each)

    def add(self, name: str, service: dict[str, Any]) -> Running:
        """Start one more replica from this definition."""
        self.services[name] = service
        self._start(name)
        return self.running[name][-1]

    async def remove(self, name: str, replica: Running) -> None:
        """Forget a replica that has ended."""
        self.running[name].remove(replica)
        await self.addresses.forget(name, replica)

    def _start(self, name: str) -> None:
        service = self.services[name]
        address = self.addresses.next(name)
        root = self._folder / f"{name}-{address.rpartition('.')[2]}"
        root.mkdir()
        image = Image(service["build"]["target"]) if "build" in service else None
        workdir = image.lay_out(root / "image") if image else root
        workdir.mkdir(parents=True, exist_ok=True)
        place = Places(root, service, image)
        environment = self._given(service, image, place, address)
        replica = Running(address, environment, workdir, None, image, place)  # type: ignore
        self._launch(name, replica)
        self.running.setdefault(name, []).append(replica)
        self.addresses.tell()

    def _given(
        self, service: dict[str, Any], image: Image | None, place: Places, address: str
    ) -> dict[str, str]:
        """The variables of a replica, with paths and names of this machine."""
        given = (image.environment if image else {}) | service["environment"]
        named = {k: self.addresses.put(v, self.services, given) for k, v in given.items()}
        return {k: place.of(v) for k, v in named.items()} | {"HOST": address}

    def _launch(self, name: str, replica: Running) -> None:
        parts = self.services[name]["command"] or replica.image.command  # type: ignore
        command = [replica.place.of(part) for part in parts]
        with (replica.workdir / "log").open("ab") as log:
            replica.process = subprocess.Popen(
                with_our_python(command),
                cwd=replica.workdir, env=self._environment(replica), stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def _environment(self, replica: Running) -> dict[str, str]:
        """The environment of a container: its own variables, and PATH."""
        path = f"{Path(nginx_with_stream()).parent}:{os.environ['PATH']}"
        tools = redis_tools(self.server, replica.workdir) if replica.image is None else {}
        return {"PATH": path, **tools, **replica.environment}
