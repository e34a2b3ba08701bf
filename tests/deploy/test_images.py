"""deploy/Dockerfile without a container engine: the file tree of each image on its own."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.dockerfile import DOCKERFILE, PINNED, ROOT, Image, files_in, stages
from tests.support.programs import needed

SERVICES = ("indexer", "api", "fanout", "archiver", "webhooks")
OURS = (*SERVICES, "network")
IMAGES = (*OURS, "gateway")


@pytest.mark.io
def test_hadolint_finds_nothing() -> None:
    done = subprocess.run(
        [needed("hadolint"), str(DOCKERFILE)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_there_is_a_target_for_every_service() -> None:
    found = {path.parent.name for path in ROOT.glob("services/*/__main__.py")}
    assert found == set(SERVICES)
    assert set(IMAGES) <= set(stages())


@pytest.mark.io
@pytest.mark.parametrize("target", OURS)
def test_an_image_contains_everything_its_process_imports(target: str, tmp_path: Path) -> None:
    image = Image(target)
    workdir = image.lay_out(tmp_path)
    program, *arguments = image.command
    assert program == "python"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, *arguments, "--help"],
        cwd=workdir, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Settings, from the environment:" in done.stdout


@pytest.mark.parametrize("target", SERVICES)
def test_an_image_contains_only_its_own_service(target: str, tmp_path: Path) -> None:
    Image(target).lay_out(tmp_path)
    tops = {"/".join(name.split("/")[:3]) for name in files_in(tmp_path)}
    services = {top for top in tops if top.startswith("app/services")}
    assert services == {"app/services/__init__.py", f"app/services/{target}"}
    others = {top for top in tops - services if not top.startswith("app/shared/")}
    assert others == ({"app/clients/js"} if target == "api" else set())


@pytest.mark.parametrize("target", IMAGES)
def test_an_image_runs_without_root_and_has_a_health_check(target: str) -> None:
    image = Image(target)
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", image.last("USER"))
    assert image.health_check
    assert re.search(PINNED, image.from_outside), "a version and a digest"


def test_images_install_only_wheels_with_checked_hashes() -> None:
    (command,) = [rest for name, rest in stages()["wheels"].steps if name == "RUN"]
    assert "--require-hashes" in command
    assert "--only-binary :all:" in command
    for name in ("runtime", "otel"):
        assert (ROOT / f"requirements/{name}.txt").is_file()


def passes(path: str) -> bool:
    """Whether .dockerignore lets a file through. The last line that matches decides."""
    let = True
    parts = path.split("/")
    above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").rstrip("/")
        names = parts if pattern.startswith("**/") else above
        if any(fnmatch.fnmatch(name, pattern.removeprefix("**/")) for name in names):
            let = line.startswith("!")
    return let


@pytest.mark.parametrize("target", ["wheels", *IMAGES])
def test_the_build_context_contains_every_copied_file(target: str) -> None:
    for sources, _ in Image(target).copies:
        for source in sources:
            path = ROOT / source
            names = [f"{source.rstrip('/')}/{name}" for name in files_in(path)]
            kept = [name for name in names or [source] if "__pycache__" not in name]
            assert kept
            assert [name for name in kept if not passes(name)] == []


def test_the_build_context_contains_no_secrets() -> None:
    for path in (".env", "deploy/tls/tls.key", ".venv/bin/python", ".git/config", "tests/a.py"):
        assert not passes(path), path
    assert not passes("shared/__pycache__/wire.cpython-311.pyc")
