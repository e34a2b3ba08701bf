"""The dashboard and the alerts use only metrics that the services really have."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.grafana.dashboard import FILE, text
from tests.deploy.dockerfile import ROOT
from tests.support.programs import needed

ALERTS = sorted((ROOT / "deploy/prometheus").glob("alerts*.yaml"))
NAME = re.compile(r"\b(?:headrace|process)_[a-z_]+\b")


@pytest.fixture
def exposed(exposition: list[str]) -> set[str]:
    """The names of the series of running services."""
    found: set[str] = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", "\n".join(exposition), re.M):
        ends = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        found |= {name + end for end in ends}
    return found


def queries() -> list[str]:
    panels = json.loads(FILE.read_text(encoding="utf-8"))["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def rules() -> list[str]:
    groups = [yaml.safe_load(file.read_text())["groups"][0] for file in ALERTS]
    return [rule["expr"] for group in groups for rule in group["rules"]]


async def test_every_metric_in_dashboard_and_alerts_exists(exposed: set[str]) -> None:
    asked = {name for query in (*queries(), *rules()) for name in NAME.findall(query)}
    assert asked - exposed == set()


def test_headrace_json_is_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "python -m deploy.grafana.dashboard"


@pytest.mark.io
def test_prometheus_can_read_every_query(tmp_path: Path) -> None:
    recorded = [
        {"record": f"query:{n}", "expr": query.replace("$__rate_interval", "1m")}
        for n, query in enumerate(queries())
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": recorded}]}))
    done = subprocess.run(
        [needed("promtool"), "check", "rules", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_panels_do_not_overlap() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in json.loads(FILE.read_text(encoding="utf-8"))["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert x < 24
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
