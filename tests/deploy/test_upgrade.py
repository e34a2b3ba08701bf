"""deploy/upgrade.sh without an engine: which commands of compose it runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.deploy.dockerfile import ROOT
from tests.operations.terminal import Call
from tests.operations.tools import understood_by_compose

pytestmark = pytest.mark.io

_DOCKER = f"""#!{sys.executable}
import json, os, sys
_, *words = sys.argv[1:]
with open("calls", "a") as calls:
    calls.write(json.dumps(words) + "\\n")
match words:
    case ["ps", "--format", _]:
        print(os.environ["SERVICES"])
    case ["ps", "--quiet", _]:
        print("an id")
    case ["config", service]:
        print(f"  {{service}}:\\n      replicas: 1")
"""
"""Stands for `docker`. SERVICES are the services that run."""

DEPLOY = ROOT / "deploy"
FILES = ["--file", f"{DEPLOY}/compose.yaml", "--env-file", f"{DEPLOY}/simulated.env"]


def upgrade(folder: Path, *services: str, only: Sequence[str] = ()) -> list[list[str]]:
    """The commands of compose in an upgrade, while these services run."""
    (folder / "docker").write_text(_DOCKER)
    (folder / "docker").chmod(0o755)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "SERVICES": "\n".join(services)}
    script = ["sh", str(ROOT / "deploy/upgrade.sh"), *only]
    subprocess.run(script, cwd=folder, env=environment, check=True)
    return [json.loads(line) for line in (folder / "calls").read_text().splitlines()]


def replacing(calls: Sequence[list[str]]) -> list[list[str]]:
    """The commands that replace containers even if nothing has changed."""
    return [words for words in calls if "--force-recreate" in words]


async def test_programs_that_read_mounted_files_are_replaced_if_they_run(tmp_path: Path) -> None:
    calls = upgrade(tmp_path, "redis", "grafana", "indexer", "fanout", "api", "prometheus")
    assert [words[-1] for words in replacing(calls)] == ["grafana", "prometheus"]
    for words in replacing(calls):
        call = Call([], tmp_path, {"PATH": os.environ["PATH"]})
        assert await understood_by_compose(call, [*FILES, *words]) is None, words


def test_others_are_replaced_only_if_they_have_changed(tmp_path: Path) -> None:
    calls = upgrade(tmp_path, "redis", "indexer", "fanout", "api")
    assert replacing(calls) == []
    assert calls[-1] == ["up", "--detach", "--no-build", "--wait"]


def test_an_upgrade_of_one_service_leaves_the_others_alone(tmp_path: Path) -> None:
    assert replacing(upgrade(tmp_path, "redis", "api", "alertmanager", only=["api"])) == []
