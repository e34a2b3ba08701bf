"""Fixtures: the images of this project, and an engine that runs them.

The images have the scope of the package, so that one worker runs all tests of this folder: two
workers would use the same folder for images.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.deploy.dockerfile import ROOT
from tests.deploy.engine.commands import needed_as_root
from tests.deploy.engine.docker_engine import Engine, docker_engine
from tests.deploy.engine.images import Builder
from tests.deploy.engine.stand_ins import OF_SERVICES, STAND_INS
from tests.deploy.engine.system import System

FOLDER = ROOT / ".run/engine"
REPORT: list[str] = []
"""What was built and run, for the end of pytest's output."""
VERSION, REVISION = "1.2.3", "0123456789abcdef"
"""In the labels of the images."""


@pytest.fixture(scope="package")
def builder() -> Builder:
    for program in ("debootstrap", "buildah", "dockerd"):
        needed_as_root(program)
    FOLDER.mkdir(parents=True, exist_ok=True)
    builder = Builder(FOLDER, VERSION, REVISION)
    builder.forget_other_labels()
    return builder


@pytest.fixture(scope="package")
def images(builder: Builder) -> dict[str, str]:
    """The ids of the images of this project, by target."""
    images = builder.build(ROOT)
    REPORT.extend(f"built headrace-{name}: image {image[:12]}" for name, image in images.items())
    REPORT.extend(
        f"stand-in for {name}: Debian {stand_in.suite}"
        + f" without {stand_in.lacks}" * bool(stand_in.lacks)
        for name, stand_in in STAND_INS.items()
    )
    return images


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(builder: Builder) -> AsyncIterator[Engine]:
    async with docker_engine(FOLDER / "docker") as engine:
        version = engine.docker("version", "--format", "{{.Server.Version}}")
        REPORT.append(f"ran deploy/compose.yaml in Docker {version}")
        yield engine


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(builder: Builder, engine: Engine) -> AsyncIterator[System]:
    """The system, not yet started, on an engine that has stand-ins for the images of others."""
    stand_ins = {service: f"stand-in-{service}" for service in OF_SERVICES}
    made = {name: builder.make(STAND_INS[OF_SERVICES[s]]) for s, name in stand_ins.items()}
    provide(builder, engine, {name: builder.id_of(tag) for name, tag in made.items()})
    async with aiohttp.ClientSession(read_bufsize=1 << 20) as session:
        system = System(engine, session, stand_ins, FOLDER)
        await system.down()  # what a run left behind that was killed
        yield system
        await system.down()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    builder: Builder, images: dict[str, str], engine: Engine, system: System
) -> AsyncIterator[System]:
    """The system, started with the images of this project."""
    name_images(builder, engine, images)
    system.up()
    yield system


def name_images(builder: Builder, engine: Engine, images: dict[str, str]) -> None:
    """Do what `docker compose build` does: give images the names of compose.yaml, by target."""
    provide(builder, engine, {f"headrace-{target}": image for target, image in images.items()})


def provide(builder: Builder, engine: Engine, images: dict[str, str]) -> None:
    """Give images to the engine under these names."""
    for name, image in images.items():
        if not engine.has(image):
            file = FOLDER / "image.tar"
            builder.export(image, file)
            engine.docker("load", "--input", str(file))
            file.unlink()
        engine.docker("tag", image, name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was built and run."""
    for line in dict.fromkeys(REPORT):
        terminalreporter.write_line(line)
