"""An upgrade from an earlier release with deploy/upgrade.sh, while clients are connected."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.deploy.dockerfile import ROOT
from tests.deploy.engine.clients import Subscribers
from tests.deploy.engine.commands import run
from tests.deploy.engine.conftest import FOLDER, name_images
from tests.deploy.engine.docker_engine import Engine
from tests.deploy.engine.images import TARGETS, Builder
from tests.deploy.engine.system import System
from tests.support.installation import create_stream
from tests.support.waiting import until

pytestmark = [
    pytest.mark.io,
    pytest.mark.nightly,
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="module"),
]
EARLIER = "eb6561b1"
"""A commit that stands for the last release as long as there is no tag."""


@pytest.fixture(scope="module")
def earlier() -> Path:
    """The files of the last release."""
    tags = run("git", "-C", str(ROOT), "tag", "--sort=-creatordate", "--merged", "HEAD^").split()
    commit = tags[0].decode() if tags else EARLIER
    folder = FOLDER / f"release-{commit}"
    if not folder.exists():
        try:
            files = run("git", "-C", str(ROOT), "archive", commit)
        except AssertionError:
            pytest.skip(f"this clone has no commit {commit}: fetch the whole history")
        part = folder.with_suffix(".part")
        part.mkdir(exist_ok=True)
        run("tar", "-C", str(part), "-x", stdin=files)
        part.rename(folder)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def old(
    builder: Builder, images: dict[str, str], engine: Engine, system: System, earlier: Path
) -> AsyncIterator[System]:
    """The system of today's compose file with the services and the gateway of the last release.

    The network is today's: it stands for the world outside, which no upgrade changes. A service
    that the last release did not have does not run yet.
    """
    before = {**builder.build(earlier), "network": images["network"]}
    name_images(builder, engine, before)
    new = [name for name in TARGETS if name not in before]
    system.up(*(f"--scale={name}=0" for name in new))
    name_images(builder, engine, images)
    yield system


async def test_clients_stay_served_during_an_upgrade(old: System, images: dict[str, str]) -> None:
    fewest, done = 2, asyncio.Event()

    async def watch() -> None:
        nonlocal fewest
        while not done.is_set():
            fewest = min(fewest, await asyncio.to_thread(serving, old))

    async with Subscribers(old, 20) as subscribers:
        await subscribers.until_events(5)
        made = await create_stream(old.session, old.url())
        watching = asyncio.create_task(watch())
        upgrade = ["sh", str(ROOT / "deploy/upgrade.sh")]
        environment = old.engine.environment | old.compose_environment
        await asyncio.to_thread(run, *upgrade, env=environment, seconds=600)
        done.set()
        await watching
        for part in TARGETS:
            ids = {each["Image"] for each in old.containers(part)}
            assert ids == {f"sha256:{images[part]}"}, part
            assert len(old.containers(part)) == (1 if part in ("network", "gateway") else 2)
        assert fewest >= 1, "at most half of the fanouts may be away at once"
        await subscribers.until_the_last_event()
        later = await create_stream(old.session, old.url())
        await until(lambda: all(has(c.events, later["id"]) for c in subscribers.clients))
        subscribers.check()
    assert (await old.text(f"/v1/streams/{made['id']}"))[0] == 200


def has(events: list[dict[str, object]], stream_id: str) -> bool:
    return any(event["streamId"] == stream_id for event in events)


def serving(system: System) -> int:
    """The number of healthy fanouts. One that drains counts too; its clients move to others."""
    label = "label=com.docker.compose.service=fanout"
    try:
        ids = system.engine.docker("ps", "-q", "--filter", label, "--filter", "health=healthy")
    except (AssertionError, subprocess.TimeoutExpired):
        return 2  # a container ended while the engine listed it
    return len(ids.split())
