"""A page with a mistake fails: wrong options, names and files are found before anything runs."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.operations.site import Site, site
from tests.support.fenced import Block

pytestmark = [
    pytest.mark.io,
    pytest.mark.timeout(60),
    pytest.mark.asyncio(loop_scope="module"),
]

RIGHT = (
    "docker compose ps",
    "docker build -f deploy/Dockerfile --target api -t api .",
    "kubectl -n headrace rollout status deployment/headrace-api --timeout=1m",
    "kubectl apply -k deploy/kubernetes/overlays/production",
    "kubectl -n headrace get pods -l app.kubernetes.io/component=fanout",
    "kubectl drain node-1 --ignore-daemonsets",
)
WRONG = (
    "docker compose up --detached",
    "docker compose restart indexers",
    "docker compose exec indexers ls",
    "docker compose frobnicate",
    "docker compose -f deploy/nothing.yaml ps",
    "docker compose top",  # docker compose knows it, but no test can tell what it does
    "docker build -f deploy/Dockerfile --target nothing -t api .",
    "docker push never-built",
    "docker run hello",
    "kubectl -n headrace rollout status deployment/headrace-apis",
    "kubectl -n headrace rollout state deployment/headrace-api",
    "kubectl -n headrace rollout status deployment/headrace-api --timeouts=1m",
    "kubectl -n headraces get pods",
    "kubectl -n headrace get pods -l app.kubernetes.io/component=fanouts",
    "kubectl -n headrace set image deployment/headrace-api fanout=x",
    "kubectl apply -k deploy/kubernetes/overlays/nothing",
    "kubectl apply -f deploy/nothing.yaml",
    """kubectl -n headrace patch hpa headrace-fanout --patch '{"spec": {"minReplica": 8}}'""",
    "kubectl -n headrace label pods x=y",  # no test can tell what it does
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with site(tmp_path_factory.mktemp("site")) as opened:
        shutil.copy(opened.folder / "deploy/simulated.env", opened.folder / ".env")
        yield opened


@pytest.mark.parametrize("command", RIGHT)
async def test_a_right_command_passes(here: Site, command: str) -> None:
    assert (await here.terminal.run(Block("page", 1, "sh", "", command))).code == 0


@pytest.mark.parametrize("command", WRONG)
async def test_a_wrong_command_fails(here: Site, command: str) -> None:
    try:
        result = await here.terminal.run(Block("page", 1, "sh", "", command))
    except AssertionError:
        return
    assert result.code != 0


async def test_a_block_ends_at_its_first_failure(here: Site, tmp_path: Path) -> None:
    text = f"false\ntouch {tmp_path}/reached"
    assert (await here.terminal.run(Block("page", 1, "sh", "", text))).code == 1
    assert not (tmp_path / "reached").exists()


async def test_variables_are_there_in_the_next_block_until_the_page_ends(here: Site) -> None:
    await here.terminal.run(Block("page", 1, "sh", "", "NODE='a b'"))
    shown = await here.terminal.run(Block("page", 2, "sh", "", 'echo "${NODE-}"'))
    assert shown.text == "a b\n"
    here.terminal.forget()
    assert (await here.terminal.run(Block("page", 3, "sh", "", 'echo "${NODE-}"'))).text == "\n"
