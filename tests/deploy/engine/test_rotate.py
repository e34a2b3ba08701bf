"""Secrets are replaced by the blocks of docs/operations/rotate.md, while clients stay served."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.deploy.dockerfile import ROOT
from tests.deploy.engine.clients import Subscribers
from tests.deploy.engine.system import System
from tests.deploy.test_compose import KEY
from tests.operations.pages import block
from tests.support.installation import create_stream

pytestmark = [
    pytest.mark.io,
    pytest.mark.nightly,
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="module"),
]
PASSWORDS = ("new passwords of redis", "use the new passwords of redis")
KEYS = ("add a signing key", "sign with the new key", "remove the old key")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's folder with .env, for the operator's shell."""
    folder = tmp_path_factory.mktemp("operator")
    (folder / "deploy").symlink_to(ROOT / "deploy")
    shutil.copy(ROOT / "deploy/simulated.env", folder / ".env")
    with (folder / ".env").open("a") as file:
        file.write(f"JWT_PRIVATE_KEY={KEY}\n")
    return folder


def values(system: System, part: str, name: str) -> set[str]:
    """The values of a variable in the containers of a service."""
    given = [each["Config"]["Env"] for each in system.containers(part)]
    return {v for env in given for n, _, v in (line.partition("=") for line in env) if n == name}


@pytest.mark.parametrize(
    ("part", "secret", "names"),
    [("redis", "API_REDIS_PASSWORD", PASSWORDS), ("api", "JWT_PRIVATE_KEY", KEYS)],
)
async def test_a_secret_is_replaced_and_nothing_is_missed(
    running: System, folder: Path, part: str, secret: str, names: tuple[str, ...]
) -> None:
    before = values(running, part, secret)
    async with Subscribers(running, 12) as subscribers:
        await subscribers.until_events(3)
        for name in names:
            await running.carry_out(folder, block("rotate.md", name).text)
        made = await create_stream(running.session, running.url())
        await subscribers.until_the_last_event()
        subscribers.check()
    assert (await running.text(f"/v1/streams/{made['id']}"))[0] == 200
    after = values(running, part, secret)
    assert len(after) == 1
    assert not before & after
