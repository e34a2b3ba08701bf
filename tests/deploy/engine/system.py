"""deploy/compose.yaml in a Docker engine: the real file, with stand-ins for images of others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.deploy.dockerfile import ROOT
from tests.deploy.engine.commands import run
from tests.deploy.engine.docker_engine import Engine
from tests.support.waiting import until

GATEWAY_PORT = 3001
PARTS = ("redis", "indexer", "api", "fanout", "archiver", "webhooks", "gateway", "network")


@dataclass
class System:
    """The containers of compose.yaml. `session` and `url` are for clients.

    `stand_ins` maps services to the images that replace images of others. `project` is the folder
    that has deploy/compose.yaml.
    """

    engine: Engine
    session: aiohttp.ClientSession
    stand_ins: Mapping[str, str]
    folder: Path
    project: Path = ROOT

    def url(self, port: int = GATEWAY_PORT) -> str:
        return f"http://{self.engine.address}:{port}"

    @property
    def tls(self) -> Path:
        """The folder for the gateway's certificate and key."""
        folder = self.folder / "tls"
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def compose_environment(self) -> dict[str, str]:
        """Variables with which `docker compose` finds the file and its settings."""
        override = self.folder / "stand-ins.yaml"
        services: dict[str, object] = {n: {"image": i} for n, i in self.stand_ins.items()}
        services["gateway"] = {"volumes": [f"{self.tls}:/etc/headrace-tls:ro"]}  # not deploy/tls
        override.write_text(json.dumps({"services": services}), "utf-8")  # JSON is YAML
        deploy = self.project / "deploy"
        return {
            "COMPOSE_FILE": f"{deploy}/compose.yaml:{override}",
            "COMPOSE_ENV_FILES": str(deploy / "simulated.env"),
            "CLOSE_SECONDS": "0.5",
        }

    def compose(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """The output of `docker compose`."""
        environment = self.engine.environment | self.compose_environment
        engine = Engine(self.engine.address, environment)
        return engine.raw("compose", *arguments, stdin=stdin)

    def up(self, *options: str) -> None:
        """Start or change the containers, and wait until all are healthy."""
        self.compose("up", "--detach", "--no-build", "--wait", *options)

    async def down(self) -> None:
        """Remove all containers, networks and the data of Redis.

        An engine can refuse to remove a network just after it has removed the last container of
        it ("has active endpoints").
        """
        await until(self._is_down, seconds=60, what="the end of the system")

    def _is_down(self) -> bool:
        try:
            self.compose("--profile", "*", "down", "--volumes", "--timeout", "1")
        except AssertionError as error:
            if "has active endpoints" not in str(error):
                raise
            return False
        return True

    async def carry_out(self, folder: Path, commands: str) -> None:
        """Run commands in the shell of an operator, in a folder that has deploy/ and .env."""
        environment = self.engine.environment | self.compose_environment
        environment["COMPOSE_ENV_FILES"] = ".env"
        text = f"set -e\ncd {folder}\n{commands}"
        await asyncio.to_thread(run, "sh", "-c", text, env=environment, seconds=900)

    def containers(self, service: str) -> list[dict[str, Any]]:
        """What `docker inspect` says about each running container of a service."""
        ids = self.compose("ps", "--quiet", service).decode().split()
        return json.loads(self.engine.docker("inspect", *ids)) if ids else []

    def execute(self, container: Mapping[str, Any], *command: str) -> str:
        """The output of a command in a container. Fails if its exit code is not 0."""
        return self.engine.docker("exec", container["Id"], *command)

    async def text(self, path: str) -> tuple[int, str]:
        """Status and text of the gateway's answer."""
        async with self.session.get(self.url() + path) as response:
            return response.status, await response.text()

    async def metric(self, container: Mapping[str, Any], name: str) -> float:
        """The value of a metric of one container; 0 if it has none."""
        program = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/metrics').read().decode())"
        lines = self.execute(container, "python", "-c", program).splitlines()
        return sum(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))
