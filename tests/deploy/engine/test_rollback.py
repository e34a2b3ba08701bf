"""An upgrade to a next version and the way back, by the blocks of docs/operations/upgrade.md.

The two versions have other images, other rights in Redis and other files of Prometheus,
Alertmanager and Grafana. Clients are connected all the time.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.deploy.engine import versions
from tests.deploy.engine.clients import Subscribers
from tests.deploy.engine.conftest import name_images
from tests.deploy.engine.docker_engine import Engine
from tests.deploy.engine.images import TARGETS, Builder
from tests.deploy.engine.system import System
from tests.operations.pages import block
from tests.support.installation import create_stream
from tests.support.waiting import until

pytestmark = [
    pytest.mark.io,
    pytest.mark.nightly,
    pytest.mark.timeout(1800),
    pytest.mark.asyncio(loop_scope="module"),
]
BUILD = "docker compose build\n"
"""What Buildah does here."""
STEPS = {
    versions.NEXT: ("get the new version", "upgrade one service after another"),
    versions.NOW: ("roll back with compose",),
}
"""The blocks that lead to each version."""
SHOWN = {
    "prometheus": ("wget -q -O - http://localhost:9090/api/v1/rules", '"Renamed"'),
    "alertmanager": ("wget -q -O - http://localhost:9093/api/v2/status", "repeat_interval: 3h"),
    "grafana": ("cat /etc/headrace/headrace.json", '"Renamed"'),
}
"""A command in each container, and what it prints only with the files of the next version."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return versions.clone(tmp_path_factory.mktemp("operator"))


@pytest.fixture(scope="module")
def built(builder: Builder, images: dict[str, str], clone: Path) -> dict[str, dict[str, str]]:
    """The images of each version. The network stands for the world outside: it stays the same."""
    versions.check_out(clone, versions.NEXT)
    built = builder.build(clone)
    versions.check_out(clone, versions.NOW)
    return {versions.NOW: images, versions.NEXT: built | {"network": images["network"]}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(
    builder: Builder, engine: Engine, system: System, clone: Path, built: dict[str, dict[str, str]]
) -> AsyncIterator[System]:
    """The present version with Prometheus, Alertmanager and Grafana."""
    system.project = clone
    name_images(builder, engine, built[versions.NOW])
    system.up()
    await system.carry_out(
        clone, block("compose.md", "start Prometheus, Grafana and Alertmanager").text
    )
    yield system


async def test_an_upgrade_and_the_way_back_lose_nothing(
    builder: Builder, here: System, clone: Path, built: dict[str, dict[str, str]]
) -> None:
    await until_files_of(here, versions.NOW)
    redis = here.containers("redis")[0]["Id"]
    async with Subscribers(here, 20) as subscribers:
        await subscribers.until_events(5)
        for version, names in STEPS.items():
            subscribers.add()
            name_images(builder, here.engine, built[version])
            commands = "".join(block("upgrade.md", name).text for name in names)
            assert BUILD in commands
            await here.carry_out(clone, commands.replace(BUILD, ""))
            for part in TARGETS:
                ids = {each["Image"] for each in here.containers(part)}
                assert ids == {f"sha256:{built[version][part]}"}, part
            assert rights(here) == {"HGETALL" if version == versions.NEXT else "HVALS"}
            await until_files_of(here, version)
            assert (await here.text("/v1/keys"))[0] == 200
            made = await create_stream(here.session, here.url())
        await subscribers.until_the_last_event()
        await until(lambda: all(has(c.events, made["id"]) for c in subscribers.clients))
        subscribers.check()
    assert here.containers("redis")[0]["Id"] == redis, "its users change while it runs"
    assert "reason" not in operator(here, "acl", "log"), "Redis refused a command"


def has(events: list[dict[str, Any]], stream_id: str) -> bool:
    return any(event["streamId"] == stream_id for event in events)


def operator(system: System, *command: str) -> str:
    """What Redis answers to the user operator."""
    (redis,) = system.containers("redis")
    return system.execute(redis, "sh", "/etc/headrace/cli.sh", *command)


def rights(system: System) -> set[str]:
    """Which of the commands in which the versions differ the indexer may run."""
    (redis,) = system.containers("redis")
    users = system.execute(redis, "cat", "/tmp/users.acl").splitlines()
    (indexer,) = [line for line in users if line.startswith("user indexer ")]
    return {found.upper() for found in re.findall(r"\+(hvals|hgetall)\b", indexer)}


async def until_files_of(system: System, version: str) -> None:
    """Wait until Prometheus, Alertmanager and Grafana show the files of a version."""
    for part in SHOWN:
        what = f"{part} with the files of {version}"
        await until(partial(has_file_of, system, part, version), seconds=60, what=what)


def has_file_of(system: System, part: str, version: str) -> bool:
    (container,) = system.containers(part)
    command, text = SHOWN[part]
    try:
        shown = system.execute(container, *command.split())
    except AssertionError:  # Prometheus still reads its data
        return False
    return (text in shown) == (version == versions.NEXT)
