"""The wheel, and the one that is built from the source distribution, in empty environments."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
from headrace_client.version import __version__

from tests.clients.packages.python.test_cursors import PACKAGE, Consumer, check_exactly_once
from tests.fanout.replicas import Chain, StartReplica
from tests.support.tier import one_in_test
from tests.test_architecture import files
from tests.test_packaging import pip

pytestmark = [pytest.mark.io(cached=True), pytest.mark.timeout(240)]

NAME = f"headrace_client-{__version__}"
WHEEL = f"{NAME}-py3-none-any.whl"


def run(*command: object, folder: Path) -> str:
    """Run a program. Returns its output."""
    done = subprocess.run(
        list(map(str, command)), cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(source: Path, folder: Path) -> Path:
    """A wheel of a folder or of a source distribution."""
    pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, source)
    return folder / WHEEL


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, built from a copy, because a build writes into its source folder."""
    folder = tmp_path_factory.mktemp("sdist")
    source = folder / "source"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    script = "import setuptools.build_meta as b; b.build_sdist('..')"
    run(sys.executable, "-c", script, folder=source)
    return folder / f"{NAME}.tar.gz"


@pytest.fixture(scope="module")
def wheels(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("wheels")
    for kind in ("folder", "sdist"):
        (folder / kind).mkdir()
    return {
        "folder": build(sdist.parent / "source", folder / "folder"),
        "sdist": build(sdist, folder / "sdist"),
    }


def environment(folder: Path, wheel: Path) -> Path:
    """The programs of an environment with the wheel, and the packages that it needs."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pip("--python", folder / "bin/python", "install", "--no-deps", "--no-index", wheel)
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "locked.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def test_wheel_and_sdist_have_every_file_of_the_package(
    wheels: dict[str, Path], sdist: Path
) -> None:
    tree = {
        path.relative_to(PACKAGE).as_posix() for path in files() if path.is_relative_to(PACKAGE)
    }
    for wheel in wheels.values():
        with zipfile.ZipFile(wheel) as archive:
            names = set(archive.namelist())
        assert {name for name in names if ".dist-info/" not in name} == {
            name for name in tree if name.startswith("headrace_client/")
        }
        assert f"{NAME}.dist-info/licenses/LICENSE" in names
    with tarfile.open(sdist) as packed:
        kept = {name.removeprefix(f"{NAME}/") for name in packed.getnames()}
    assert tree - kept == set()


@pytest.mark.parametrize("kind", one_in_test(["folder", "sdist"]))
def test_the_command_and_the_types_are_installed(
    wheels: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    programs = environment(tmp_path / "venv", wheels[kind])
    told = run(programs / "headrace", "--version", folder=tmp_path)
    assert told == f"headrace-client {__version__}\n"
    script = "import headrace_client, sys; print(headrace_client.__file__, *sys.modules)"
    place, *loaded = run(programs / "python", "-c", script, folder=tmp_path).split()
    assert Path(place).is_relative_to(tmp_path / "venv")
    assert (Path(place).parent / "py.typed").is_file()
    assert not {"redis", "shared", "services"} & set(loaded)


@pytest.mark.parametrize("kind", one_in_test(["folder", "sdist"]))
async def test_an_installed_program_resumes(
    wheels: dict[str, Path], tmp_path: Path, start: StartReplica, chain: Chain, kind: str
) -> None:
    programs = environment(tmp_path / "venv", wheels[kind])
    consumer = Consumer(await start(), tmp_path, [str(programs / "python"), "-I"])
    await check_exactly_once(consumer, chain, kills=2)
