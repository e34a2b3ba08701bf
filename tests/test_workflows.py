"""The workflows of GitHub: valid YAML, pinned actions, and in agreement with what they build."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared import __version__
from tests.deploy.composed import read_compose
from tests.deploy.dockerfile import PINNED, ROOT, stages
from tests.support.programs import needed

FILES = sorted((ROOT / ".github/workflows").glob("*.yaml"))
ACTIONS = {"actions", "docker"}
"""The owners of actions that we trust."""


def workflow(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / f".github/workflows/{name}.yaml").read_text())
    return document


def steps(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in document["jobs"].values() for step in job.get("steps", ())]


def the_step(document: dict[str, Any], action: str) -> dict[str, Any]:
    (found,) = [s for s in steps(document) if s.get("uses", "").partition("@")[0] == action]
    return found


@pytest.mark.io
def test_yamllint_finds_nothing() -> None:
    command = [needed("yamllint"), "--strict", "-c", str(ROOT / "deploy/yamllint.yaml")]
    done = subprocess.run([*command, *FILES], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_workflow_has_few_rights_time_limits_and_pinned_actions(path: Path) -> None:
    document = workflow(path.stem)
    assert document["permissions"] == {"contents": "read"}
    for job in document["jobs"].values():
        assert "timeout-minutes" in job or job["uses"].startswith("./.github/workflows/")
    for step in steps(document):
        if used := step.get("uses"):
            assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", used), "a major version"
            assert used.partition("/")[0] in ACTIONS
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
        assert "${{" not in step.get("run", ""), "a value could become a command; use env"


def test_ci_runs_the_script_of_the_repository_in_the_base_image() -> None:
    job = workflow("ci")["jobs"]["test"]
    assert job["steps"][-1] == {"run": "bash .ci/run"}
    assert job["container"] == stages()["wheels"].base
    assert re.search(PINNED, job["container"])
    docs = workflow("ci")["jobs"]["docs"]
    assert docs["container"] == job["container"]
    assert {"run": "make docs"} in docs["steps"]
    nightly = workflow("nightly")["jobs"]["engine"]
    assert nightly["steps"][-1] == {"run": "make engine"}
    assert nightly["container"]["image"] == job["container"]


def test_a_release_builds_each_image_for_both_platforms_with_sbom_and_provenance() -> None:
    document = workflow("release")
    assert document["on"] == {"push": {"tags": ["v*.*.*"]}}
    images = document["jobs"]["images"]
    internal = {"wheels", "base"}
    assert set(images["strategy"]["matrix"]["target"]) == set(stages()) - internal
    assert set(images["needs"]) == {"version", "checks"}
    build = the_step(document, "docker/build-push-action")["with"]
    assert (ROOT / build["file"]).is_file()
    assert build["platforms"].split(",") == ["linux/amd64", "linux/arm64"]
    assert (build["sbom"], build["provenance"]) == (True, "mode=max")
    arguments = re.findall(r"^(\w+)=", build["build-args"], re.M)
    assert arguments == ["VERSION", "REVISION"]
    declared = [rest for name, rest in stages()["base"].steps if name == "ARG"]
    assert [part.partition("=")[0] for part in declared[0].split()] == arguments


@pytest.mark.io
@pytest.mark.parametrize(
    ("tag", "section", "accepted"),
    [
        (f"v{__version__}", f"## {__version__} - 2026-12-01", True),
        (f"v{__version__}", "## Unreleased", False),
        ("v9.9.9", f"## {__version__}", False),
    ],
)
def test_a_release_needs_a_tag_and_a_changelog_of_this_version(
    tag: str, section: str, accepted: bool, tmp_path: Path
) -> None:
    (tmp_path / "shared").mkdir()
    shutil.copy(ROOT / "shared/__init__.py", tmp_path / "shared")
    (tmp_path / "CHANGELOG.md").write_text(f"{section}\n", "utf-8")
    script = workflow("release")["jobs"]["version"]["steps"][-1]["run"]
    environment = {**os.environ, "GITHUB_REF_NAME": tag}
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert (done.returncode == 0) == accepted


@pytest.mark.io
def test_compose_runs_the_images_that_a_release_names(tmp_path: Path) -> None:
    (script,) = [s["run"] for s in steps(workflow("release")) if "DIGEST" in s.get("env", {})]
    named: dict[str, str] = {}
    for target in workflow("release")["jobs"]["images"]["strategy"]["matrix"]["target"]:
        image = f"registry.example/team/headrace-{target}"
        environment = {"PATH": os.environ["PATH"], "TARGET": target, "IMAGE": image}
        environment["DIGEST"] = f"sha256:{'5' * 64}"
        subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=environment, check=True)
        name, _, value = (tmp_path / f"{target}.env").read_text().strip().partition("=")
        named[name] = value
    services = read_compose("simulated.env", **named)["services"]
    found = {f"{name.upper()}_IMAGE": each["image"] for name, each in services.items()}
    assert {name: found[name] for name in named} == named


def test_the_manifests_of_production_name_this_version() -> None:
    path = ROOT / "deploy/kubernetes/components/production/kustomization.yaml"
    images = yaml.safe_load(path.read_text())["images"]
    assert {image["newTag"] for image in images} == {__version__}
