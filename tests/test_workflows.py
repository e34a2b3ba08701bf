"""The workflows of GitHub: valid YAML, pinned actions, and in agreement with what they build.

See docs/decisions/0113-packages-come-from-the-tag.md.
"""

from __future__ import annotations

import json
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
"""The owners of actions that we trust: a major version is enough. Others are pinned by hash."""

VERSIONS = (
    "shared/__init__.py",
    "clients/python/headrace_client/version.py",
    "clients/js/package.json",
)
"""The files that have the version, beside the manifests of production."""


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
            trusted = used.partition("/")[0] in ACTIONS
            assert re.fullmatch(r"[\w-]+/[\w-]+@" + (r"v\d+" if trusted else "[0-9a-f]{40}"), used)
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
    copy_versions(tmp_path, section)
    assert (version_check(tmp_path, tag) == "") == accepted


@pytest.mark.io
@pytest.mark.parametrize("file", VERSIONS)
def test_a_release_needs_the_same_version_in_each_package(file: str, tmp_path: Path) -> None:
    copy_versions(tmp_path, f"## {__version__}")
    path = tmp_path / file
    path.write_text(path.read_text("utf-8").replace(f'"{__version__}"', '"9.9.9"'), "utf-8")
    said = version_check(tmp_path, f"v{__version__}")
    assert said == f"the tag is v{__version__}, the version in {file} 9.9.9\n"


def copy_versions(folder: Path, section: str) -> None:
    for file in VERSIONS:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    (folder / "CHANGELOG.md").write_text(f"{section}\n", "utf-8")


def version_check(folder: Path, tag: str) -> str:
    """What the check of the tag says; nothing if the tag is right."""
    script = workflow("release")["jobs"]["version"]["steps"][-1]["run"]
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder,
        env={**os.environ, "GITHUB_REF_NAME": tag},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == (done.stdout == "")
    return done.stdout


def test_a_release_publishes_both_packages_after_the_checks_without_a_token() -> None:
    document = workflow("release")
    jobs = document["jobs"]
    assert (jobs["npm"]["needs"], jobs["python"]["needs"]) == ("images", "images")
    assert jobs["pypi"]["needs"] == "python"
    assert set(jobs["release"]["needs"]) == {"images", "npm", "pypi"}
    trusted = {name for name, job in jobs.items() if "id-token" in job.get("permissions", {})}
    assert trusted == {"npm", "pypi"}
    assert {name: jobs[name]["environment"] for name in trusted} == {"npm": "npm", "pypi": "pypi"}
    secrets = [name for name, job in jobs.items() if "secrets." in str(job)]
    assert secrets == ["images"]
    publish = jobs["npm"]["steps"][-1]["run"]
    assert publish == "npm publish --access public --provenance --ignore-scripts"
    names = {step.get("uses", "").partition("@")[0] for step in jobs["pypi"]["steps"]}
    assert names == {"actions/download-artifact", "pypa/gh-action-pypi-publish"}, "no own command"


@pytest.mark.io
def test_the_provenance_names_the_repository_of_the_workflow(tmp_path: Path) -> None:
    shutil.copy(ROOT / "clients/js/package.json", tmp_path)
    (script,) = [
        step["run"] for step in steps(workflow("release")) if "npm pkg set" in step.get("run", "")
    ]
    server = {"GITHUB_SERVER_URL": "https://forge.example", "GITHUB_REPOSITORY": "team/headrace"}
    environment = {**os.environ, **server}
    needed("npm")
    subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=environment, check=True)
    assert json.loads((tmp_path / "package.json").read_text("utf-8"))["repository"] == {
        "type": "git",
        "url": "git+https://forge.example/team/headrace.git",
        "directory": "clients/js",
    }


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
