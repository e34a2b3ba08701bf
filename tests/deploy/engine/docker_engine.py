"""A Docker engine of its own, in a network namespace of its own.

Nothing outside the namespace changes: no firewall rule, no bridge, no port of this machine. A pair
of virtual interfaces leads from this machine to the ports that compose publishes.
See docs/decisions/0098-images-run-in-an-engine-of-their-own.md.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.engine.commands import needed_as_root, run
from tests.support.programs import needed
from tests.support.waiting import until


@dataclass(frozen=True)
class Engine:
    """`address` has the published ports. `environment` is for the command `docker`."""

    address: str
    environment: dict[str, str]

    def docker(self, *arguments: str, errors: bool = False) -> str:
        """The output of the command `docker`, with `errors` what it wrote to stderr too."""
        output = run(needed("docker"), *arguments, env=self.environment, errors=errors)
        return output.decode().strip()

    def raw(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """The output of the command `docker` as bytes."""
        return run(needed("docker"), *arguments, env=self.environment, stdin=stdin)

    def has(self, image: str) -> bool:
        """Whether the engine has an image with this id."""
        known = self.docker("image", "ls", "--quiet", "--no-trunc", "--all")
        return f"sha256:{image}" in known.split()


@asynccontextmanager
async def docker_engine(folder: Path) -> AsyncIterator[Engine]:
    """Start `dockerd` as root. Its images stay in `folder`; containers do not outlive it."""
    programs = [needed_as_root(name) for name in ("dockerd", "nsenter", "iptables")]
    name = f"headrace-{os.getpid()}"
    here, there = (f"198.18.{os.getpid() % 250}.{n}" for n in (1, 2))
    with tempfile.TemporaryDirectory(dir="/run", prefix="headrace-") as short:  # sockets need it
        _make_namespace(name, here, there)
        socket = f"unix://{short}/docker.sock"
        # `ip netns exec` would hide the control groups of this machine.
        command = [programs[1], f"--net=/run/netns/{name}", programs[0], "--host", socket]
        command += ["--data-root", str(folder), "--exec-root", short, "--pidfile", f"{short}/pid"]
        with (folder.with_suffix(".log")).open("wb") as log:
            daemon = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
        try:
            engine = Engine(there, {"DOCKER_HOST": socket, "DOCKER_CONFIG": _plugins(short)})
            await until(lambda: _answers(engine, daemon, log.name), seconds=60, what="dockerd")
            yield engine
        finally:
            daemon.send_signal(signal.SIGTERM)
            async with asyncio.timeout(60):
                await daemon.wait()
            # The kernel deletes the links of a namespace later; the next engine has the same name.
            run("ip", "link", "delete", _outside())
            run("ip", "netns", "delete", name)


def _outside() -> str:
    """The end of the link that stays in the network of this machine."""
    return f"hr{os.getpid()}"


def _make_namespace(name: str, here: str, there: str) -> None:
    outside = _outside()
    run("ip", "netns", "add", name)
    run("ip", "-n", name, "link", "set", "lo", "up")
    run("ip", "link", "add", outside, "type", "veth", "peer", "name", "outside", "netns", name)
    run("ip", "address", "add", f"{here}/30", "dev", outside)
    run("ip", "link", "set", outside, "up")
    run("ip", "-n", name, "address", "add", f"{there}/30", "dev", "outside")
    run("ip", "-n", name, "link", "set", "outside", "up")


def _plugins(folder: str) -> str:
    """A configuration of `docker` in which `docker compose` is the one of the requirements."""
    plugins = Path(folder, "config/cli-plugins")
    plugins.mkdir(parents=True)
    (plugins / "docker-compose").symlink_to(needed("docker-compose"))
    return str(plugins.parent)


def _answers(engine: Engine, daemon: asyncio.subprocess.Process, log: str) -> bool:
    assert daemon.returncode is None, Path(log).read_text(errors="replace")[-3000:]
    try:
        return bool(engine.docker("version", "--format", "{{.Server.Version}}"))
    except AssertionError:
        return False
