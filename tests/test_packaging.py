"""The wheel: it has every file of the services, and its commands start outside of a clone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from redis.asyncio import Redis

from shared import __version__
from shared.journal.keys import Keys
from tests.indexer.installed import Site
from tests.indexer.simulated import simulated
from tests.support.processes import listening, spawn
from tests.test_architecture import ROOT, files

PACKAGES = ("shared", "services", "clients/js/src")
pytestmark = [
    pytest.mark.io(cached=True),  # one case builds the wheel, and one installs it
    pytest.mark.timeout(120),
]

COMMANDS = ("headrace-api", "headrace-fanout", "headrace-indexer", "headrace-webhooks")


def pip(*arguments: object) -> None:
    """Run pip without any network. Its output is in the error if it fails."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, because a build writes into its source folder."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, source)
    [made] = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def commands(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands in an environment that has the wheel and the locked packages."""
    folder = tmp_path_factory.mktemp("environment")
    made = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", made], check=True)
    pip("--python", made / "bin/python", "install", "--no-deps", "--no-index", wheel)
    [packages] = made.glob("lib/python*/site-packages")
    (packages / "locked.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return made / "bin"


def test_the_wheel_has_every_file_of_the_services_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    tree = {path.relative_to(ROOT).as_posix() for path in files()}
    wanted = tuple(f"{name}/" for name in PACKAGES)
    assert packed == {name for name in tree if name.startswith(wanted)}
    assert wheel.name == f"headrace-{__version__}-py3-none-any.whl"


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("flag", "text"), [("--version", f" {__version__}\n"), ("--help", "usage: {name} ")]
)
def test_a_command_prints_its_help_and_its_version(
    commands: Path, tmp_path: Path, name: str, flag: str, text: str
) -> None:
    done = subprocess.run(
        [commands / name, flag], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert text.format(name=name) in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_command_starts_and_becomes_ready(
    commands: Path, redis: Redis, redis_url: str, keys: Keys, name: str
) -> None:
    async with simulated() as network:
        settings = Site(network, redis, redis_url, keys).settings()
        started = await spawn([str(commands / name)], commands, settings)
        async with listening(started) as process:
            await process.ready()
            process.signal()
            assert await process.ended() == 0
