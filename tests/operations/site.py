"""A machine of an operator: a clone of the project, a terminal in it, and the simulated network."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.deploy.composed import Composed
from tests.deploy.dockerfile import ROOT
from tests.deploy.gateways import certificate
from tests.operations.cluster import Cluster
from tests.operations.engine import Engine
from tests.operations.terminal import Carrier, Result, Terminal, terminal
from tests.support.fenced import Block
from tests.support.name_server import name_server
from tests.support.programs import needed

VERSIONS = ("v0.1.0", "v0.2.0")
"""The tags of the clone."""
EXPORTED = {"CLOSE_SECONDS": "2", "TLS_REDIRECT": "off"}
EXPORTED |= {"APIS": "1", "ARCHIVERS": "1"}
"""Of the operator's shell: a fast chain, a gateway with TLS and without, one API and archiver."""


@dataclass
class Site:
    """The clone's folder, the terminal, and the processes that stand for containers.

    `done` has the blocks that were run.
    """

    folder: Path
    terminal: Terminal
    composed: Composed
    done: set[Block] = field(default_factory=set)

    async def run(self, block: Block, replaced: Mapping[str, str] | None = None) -> Result:
        """Run a block. It must end with exit code 0."""
        result = await self.terminal.run(block, replaced)
        assert result.code == 0, f"{block}\n{result.text}\n{result.errors}"
        self.done.add(block)
        return result

    @property
    def settings(self) -> dict[str, str]:
        """The lines of .env, by name."""
        lines = (self.folder / ".env").read_text().splitlines()
        return {name: value for name, _, value in (line.partition("=") for line in lines)}

    def set(self, **settings: str) -> None:
        """Change lines of .env as a user does with an editor."""
        file = self.folder / ".env"
        kept = [
            line
            for line in file.read_text().splitlines()
            if not re.match(rf"({'|'.join(settings)})=", line)
        ]
        lines = [*kept, *(f"{name}={_quoted(value)}" for name, value in settings.items())]
        file.write_text("\n".join([*lines, ""]))

    def lead(self) -> None:
        """Let curl find the gateway under the addresses that the pages use."""
        for gateway in self.composed.running.get("gateway", ()):
            self.terminal.lead(
                **{
                    "localhost:3001": f"{gateway.address}:8080",
                    "headrace.example.com:443": f"{gateway.address}:8443",
                }
            )


def _quoted(value: str) -> str:
    return f'"{value}"' if " " in value else value


@asynccontextmanager
async def site(folder: Path, server: str | None = None) -> AsyncIterator[Site]:
    """A site where nothing runs yet. `server` is the Redis or Valkey to use."""
    clone = folder / "headrace"
    _make_clone(clone)
    async with _containers(folder, server) as composed:
        engine = Engine(composed)
        carriers: dict[str, Carrier] = {"docker": engine, "kubectl": Cluster(engine)}
        async with terminal(clone, folder / "home", carriers, **EXPORTED) as opened:
            here = Site(clone, opened, composed)
            engine.changed = here.lead
            yield here


@asynccontextmanager
async def another_machine(here: Site, folder: Path) -> AsyncIterator[Site]:
    """A machine with the same project and the same .env, where nothing runs yet."""
    clone = folder / "headrace"
    _git(folder, "clone", "--quiet", str(here.folder), str(clone))
    shutil.copy(here.folder / ".env", clone)
    async with _containers(folder, here.composed.server, first=101) as composed:
        carriers = {"docker": Engine(composed)}
        async with terminal(clone, folder / "home", carriers, **EXPORTED) as opened:
            yield Site(clone, opened, composed, here.done)


@asynccontextmanager
async def _containers(folder: Path, server: str | None, first: int = 1) -> AsyncIterator[Composed]:
    """A folder for containers, none of which runs yet. At the end all are killed."""
    (folder / "containers").mkdir()
    async with name_server({}) as names:
        composed = Composed(folder / "containers", {}, names, server, first)
        try:
            yield composed
        finally:
            await composed.down()


def _make_clone(clone: Path) -> None:
    """A repository with two versions, and another one that it came from."""
    ignored = shutil.ignore_patterns("__pycache__", "tls")
    shutil.copytree(ROOT / "deploy", clone / "deploy", ignore=ignored)
    shutil.copy(ROOT / "CHANGELOG.md", clone)
    for name in ("shared", "services"):
        (clone / name).symlink_to(ROOT / name)
    _git(clone, "init", "--quiet", "--initial-branch=main")
    for version in VERSIONS:
        _git(clone, "add", "deploy", "CHANGELOG.md")
        _git(clone, "commit", "--quiet", "--allow-empty", "--message", version)
        _git(clone, "tag", version)
    _git(clone, "checkout", "--quiet", VERSIONS[0])
    origin = clone.with_name("origin.git")
    _git(clone.parent, "clone", "--quiet", "--bare", str(clone), str(origin))
    _git(clone, "remote", "add", "origin", str(origin))
    (clone / ".git/info/exclude").write_text(".env\n*.pem\n")
    certificate(clone)
    (clone / "tls.crt").rename(clone / "fullchain.pem")
    (clone / "tls.key").rename(clone / "privkey.pem")


def _git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=operator", "-c", "user.email=operator@localhost"]
    subprocess.run([needed("git"), *who, *words], cwd=folder, check=True)


@asynccontextmanager
async def redis_terminal(folder: Path, composed: Composed) -> AsyncIterator[Terminal]:
    """A terminal in `folder` for a site that has nothing but the Redis of `composed`."""
    (folder / "deploy").symlink_to(ROOT / "deploy")
    shutil.copy(ROOT / "deploy/simulated.env", folder / ".env")
    carriers = {"docker": Engine(composed, only=["redis"])}
    async with terminal(folder, folder / "home", carriers) as opened:
        yield opened
