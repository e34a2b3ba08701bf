"""The alert rules in promtool: each fires when it should, and none fires in a healthy system."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.deploy.alert_first_scrape import FIRST_SCRAPE
from tests.deploy.alert_samples import TROUBLE, WELL
from tests.deploy.dockerfile import ROOT
from tests.support.programs import needed

RULES = sorted((ROOT / "deploy/prometheus").glob("alerts*.yaml"))
OPERATORS = ROOT / "deploy/kubernetes/components/monitoring"
RUNBOOK = ROOT / "docs/operations"
ALERTS = {
    rule["alert"]: rule
    for file in RULES
    for rule in yaml.safe_load(file.read_text())["groups"][0]["rules"]
    if "alert" in rule
}


@dataclass
class Promtool:
    """Run `promtool test rules` with the given series."""

    path: str

    def fires(self, series: dict[str, str], alerts: set[str], folder: Path) -> str:
        """The output of promtool, or nothing if exactly these alerts fire after half an hour."""
        query = 'count by (alertname) (ALERTS{alertstate="firing"})'
        samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(alerts)]
        case = {"expr": query, "eval_time": "30m", "exp_samples": samples}
        return self.run(series, {"promql_expr_test": [case]}, folder)

    def run(self, series: dict[str, str], case: dict[str, object], folder: Path) -> str:
        """The output of promtool, or nothing if it finds what `case` expects of these series."""
        given = [{"series": s, "values": v} for s, v in series.items()]
        tried = {
            "rule_files": [str(file) for file in RULES],
            "tests": [{"interval": "15s", "input_series": given, **case}],
        }
        file = folder / "test.yaml"
        file.write_text(json.dumps(tried))
        done = subprocess.run(
            [self.path, "test", "rules", str(file)], capture_output=True, text=True, check=False
        )
        return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.fixture(scope="module")
def promtool() -> Promtool:
    return Promtool(needed("promtool"))


@pytest.mark.io
def test_no_alert_fires_in_a_healthy_system(promtool: Promtool, tmp_path: Path) -> None:
    assert promtool.fires(WELL, set(), tmp_path) == ""


@pytest.mark.io
@pytest.mark.parametrize("trouble", TROUBLE | FIRST_SCRAPE)
def test_each_problem_fires_its_alert_and_no_other(
    promtool: Promtool, trouble: str, tmp_path: Path
) -> None:
    changed, alerts = (TROUBLE | FIRST_SCRAPE)[trouble]
    series = {name: values for name, values in (WELL | changed).items() if values}
    assert promtool.fires(series, alerts, tmp_path) == ""


async def test_counters_in_the_samples_start_at_0_in_a_live_service(exposition: list[str]) -> None:
    """Otherwise `increase()` would miss the first increase, and these samples would hide that."""
    made_late = {"headrace_api_requests_total"}  # its alert compares rates, not increases
    series = {name for changed, _ in TROUBLE.values() for name in changed} | set(WELL)
    counters = {name for name in series if "_total" in name and "{" in name}
    for counter in counters:
        name, _, labels = counter.removesuffix("}").partition("{")
        own = [each for each in labels.split(",") if not re.match("(job|instance)=", each)]
        if name not in made_late:
            found = [line for line in exposition if re.match(rf"{name}[{{ ]", line)]
            assert any(all(each in line for each in own) for line in found), counter


def test_every_alert_is_tried() -> None:
    assert set().union(*(alerts for _, alerts in TROUBLE.values())) == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_has_its_entry_in_the_runbook(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in ("warning", "critical")
    base = re.escape("{{ $externalLabels.docs }}operations/")
    link = re.fullmatch(
        rf"{base}(alerts[a-z-]*\.md)#{name.lower()}", rule["annotations"]["runbook_url"]
    )
    assert link
    page = (RUNBOOK / link[1]).read_text(encoding="utf-8")
    entry = re.search(rf"^### {name}\n\n(.+?)(?=\n#|\Z)", page, re.M | re.S)
    assert entry, f"docs/operations/{link[1]} lacks ### {name}"
    assert len(entry[1]) > 80, "what it means and what to do"


@pytest.mark.io
def test_the_link_to_the_runbook_begins_with_the_label_docs(
    promtool: Promtool, tmp_path: Path
) -> None:
    base = "https://docs.example/headrace/"
    told = {
        "exp_labels": {"severity": "critical", "kind": "gap"},
        "exp_annotations": {
            "summary": "The indexer needs an operator: gap.",
            "runbook_url": f"{base}operations/alerts.md#headraceindexeralarm",
        },
    }
    case = {"eval_time": "5m", "alertname": "HeadraceIndexerAlarm", "exp_alerts": [told]}
    series = {'headrace_indexer_alarm{kind="gap"}': "1x200"}
    asked: dict[str, object] = {"external_labels": {"docs": base}, "alert_rule_test": [case]}
    assert promtool.run(series, asked, tmp_path) == ""


@pytest.mark.parametrize("file", RULES, ids=lambda file: file.stem)
def test_the_prometheus_operator_gets_the_same_rules(file: Path) -> None:
    rule = OPERATORS / file.name.replace("alerts", "prometheus-rule")
    assert yaml.safe_load(rule.read_text())["spec"] == yaml.safe_load(file.read_text())
    listed = yaml.safe_load((OPERATORS / "kustomization.yaml").read_text())["resources"]
    assert rule.name in listed


@pytest.mark.io
def test_prometheus_understands_its_configuration(promtool: Promtool) -> None:
    config = ROOT / "deploy/prometheus/prometheus.yaml"
    done = subprocess.run(
        [promtool.path, "check", "config", str(config)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(config.read_text())["rule_files"] == sorted(
        (file.name for file in RULES), key=len
    )
