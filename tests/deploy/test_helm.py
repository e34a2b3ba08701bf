"""deploy/helm: the chart makes the same resources as each overlay of deploy/kubernetes.

So what test_kubernetes.py and test_memory.py show about the overlays also holds for the chart.
See docs/decisions/0099-chart-and-overlays-are-compared.md.
"""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared import __version__
from tests.deploy.charts import CHART, VALUES, helm, of_chart, of_overlay, values_of
from tests.deploy.dockerfile import ROOT
from tests.deploy.manifests import OVERLAYS
from tests.support.programs import needed

pytestmark = pytest.mark.io(cached=True)  # the first case starts the tool

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """The path and the two values of each field that differs."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            yield from differences(ours.get(key), theirs.get(key), f"{path}/{key}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        for n, pair in enumerate(zip_longest(ours, theirs)):
            yield from differences(*pair, f"{path}/{n}")
    elif ours != theirs:
        yield f"{path}: {ours!r} in the chart, {theirs!r} in kustomize"


@each_overlay
def test_the_chart_makes_the_same_resources_as_the_overlay(overlay: str) -> None:
    chart, kustomize = of_chart(overlay), of_overlay(overlay)
    assert set(chart) == set(kustomize)
    found = [*differences(chart, kustomize)]
    assert found == []


def test_there_are_values_for_each_overlay() -> None:
    assert {path.stem for path in VALUES.iterdir()} == set(OVERLAYS)


@pytest.mark.io
@each_overlay
def test_lint_finds_nothing(overlay: str) -> None:
    files = [argument for file in values_of(overlay) for argument in ("--values", file)]
    done = helm("lint", "--strict", "--quiet", str(CHART), *files)
    assert (done.returncode, done.stdout.strip()) == (0, "")


def test_the_chart_installs_the_version_of_this_source() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__


@pytest.mark.io
def test_a_package_has_every_file_and_nothing_else(tmp_path: Path) -> None:
    done = subprocess.run(
        [needed("helm"), "package", str(CHART), "--destination", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (package,) = tmp_path.iterdir()
    with tarfile.open(package) as archive:
        names = {name.removeprefix("headrace/") for name in archive.getnames()}
        for file in (ROOT / "deploy/prometheus").glob("alerts*.yaml"):
            alerts = archive.extractfile(f"headrace/files/{file.name}")
            assert alerts
            assert alerts.read() == file.read_bytes()
    ours = {str(path.relative_to(CHART)) for path in CHART.rglob("*") if path.is_file()}
    assert names == {name for name in ours if "__pycache__" not in name}
