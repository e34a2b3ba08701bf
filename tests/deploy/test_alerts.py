"""The alert rules, tried by promtool: each fires when it should, is silent when all is well."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass

import pytest
import yaml

from tests.deploy.dockerfile import ROOT
from tests.support.programs import needed

RULES = ROOT / "deploy/prometheus/alerts.yaml"
OPERATIONS = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
ALERTS = {rule["alert"]: rule for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]}

STEADY = "100+10x200"
"""A counter that goes up, every 15 s for 50 minutes."""

# A healthy installation: two indexers, one of them active, two fanouts, an API.
WELL = {
    'up{job="headrace-fanout",instance="f1"}': "1x200",
    'up{job="headrace-fanout",instance="f2"}': "1x200",
    'up{job="headrace-api",instance="a1"}': "1x200",
    'headrace_ready{job="headrace-fanout",instance="f1",part="feed"}': "1x200",
    'headrace_ready{job="headrace-api",instance="a1",part="redis"}': "1x200",
    'headrace_task_failures_total{job="headrace-fanout",task="feed"}': "3x200",
    'headrace_indexer_active{instance="i1"}': "1x200",
    'headrace_indexer_active{instance="i2"}': "0x200",
    'headrace_indexer_ledger_closed_seconds{instance="i1"}': "-5+15x200",
    'headrace_indexer_ledger_closed_seconds{instance="i2"}': "0x200",
    'headrace_indexer_source_errors_total{kind="dropped"}': STEADY,
    'headrace_indexer_source_errors_total{kind="unreachable"}': "7x200",
    'headrace_indexer_dead_letters_total{instance="i1"}': "2x200",
    'headrace_commits_total{outcome="committed"}': STEADY,
    'headrace_commits_total{outcome="conflict"}': STEADY,
    'headrace_commits_total{outcome="behind"}': "4x200",
    'headrace_losses_total{what="everything"}': "0x200",
    'headrace_losses_total{what="entry"}': "3x200",
    'headrace_fanout_connections{instance="f1"}': "7000x200",
    'headrace_fanout_turned_away_total{reason="draining"}': STEADY,
    'headrace_fanout_turned_away_total{reason="full"}': "9x200",
    'process_open_fds{job="headrace-fanout",instance="f1"}': "7000x200",
    'process_max_fds{job="headrace-fanout",instance="f1"}': "32768x200",
    'headrace_fanout_publish_to_write_seconds_bucket{le="0.01"}': STEADY,
    'headrace_fanout_publish_to_write_seconds_bucket{le="+Inf"}': STEADY,
    'headrace_fanout_loop_lag_seconds{instance="f1"}': "0.01x200",
    'headrace_fanout_fill_ins_total{instance="f1"}': "5x200",
    'headrace_fanout_disconnects_total{reason="slow"}': "0+1x200",
    'headrace_fanout_disconnects_total{reason="gone"}': STEADY,
    'headrace_fanout_replays_total{outcome="ring"}': STEADY,
    'headrace_fanout_replays_total{outcome="gap"}': "1x200",
    'headrace_api_requests_total{status="200"}': "0+100x200",
    'headrace_api_requests_total{status="500"}': "0+1x200",
    'headrace_api_request_seconds_bucket{le="0.1"}': STEADY,
    'headrace_api_request_seconds_bucket{le="+Inf"}': STEADY,
}
# What is otherwise in each trouble, and the alerts that it sets off. None: the series is absent.
TROUBLE: dict[str, tuple[dict[str, str | None], set[str]]] = {
    "a replica is away": ({'up{job="headrace-fanout",instance="f2"}': "0x200"}, {"HeadraceDown"}),
    "a replica is not ready": (
        {'headrace_ready{job="headrace-api",instance="a1",part="redis"}': "0x200"},
        {"HeadraceNotReady"},
    ),
    "a task fails": (
        {'headrace_task_failures_total{job="headrace-fanout",task="feed"}': "0+1x200"},
        {"HeadraceTaskFailing"},
    ),
    "the indexer needs an operator": (
        {'headrace_indexer_alarm{kind="gap"}': "1x200"},
        {"HeadraceIndexerAlarm"},
    ),
    "no indexer is active": (
        {'headrace_indexer_active{instance="i1"}': "0x200"},
        {"HeadraceNoActiveIndexer"},
    ),
    "no indexer is there": (
        {
            'headrace_indexer_active{instance="i1"}': None,
            'headrace_indexer_active{instance="i2"}': None,
        },
        {"HeadraceNoActiveIndexer"},
    ),
    "two indexers are active": (
        {'headrace_indexer_active{instance="i2"}': "1x200"},
        {"HeadraceTwoActiveIndexers"},
    ),
    "the indexer is behind": (
        {'headrace_indexer_ledger_closed_seconds{instance="i1"}': "-5x200"},
        {"HeadraceIndexerBehind"},
    ),
    "the source fails": (
        {'headrace_indexer_source_errors_total{kind="unreachable"}': "0+1x200"},
        {"HeadraceSourceFailing"},
    ),
    "an event was not decoded": (
        {'headrace_indexer_dead_letters_total{instance="i1"}': "2x60 3x140"},
        {"HeadraceDeadLetters"},
    ),
    "Redis lost writes": (
        {'headrace_commits_total{outcome="behind"}': "4x118 5x82"},
        {"HeadraceJournalLostWrites"},
    ),
    "Redis was emptied": (
        {'headrace_losses_total{what="everything"}': "0x118 1x82"},
        {"HeadraceDataLost"},
    ),
    "fanouts are full": (
        {'headrace_fanout_turned_away_total{reason="full"}': STEADY},
        {"HeadraceFanoutFull"},
    ),
    "descriptors are scarce": (
        {'process_max_fds{job="headrace-fanout",instance="f1"}': "8000x200"},
        {"HeadraceDescriptorsScarce"},
    ),
    "deliveries are slow": (
        {
            'headrace_fanout_publish_to_write_seconds_bucket{le="0.01"}': "0x200",
            'headrace_fanout_publish_to_write_seconds_bucket{le="10"}': STEADY,
        },
        {"HeadraceDeliverySlow"},
    ),
    "a loop is late": (
        {'headrace_fanout_loop_lag_seconds{instance="f1"}': "2x200"},
        {"HeadraceLoopLate"},
    ),
    "the channel loses messages": (
        {'headrace_fanout_fill_ins_total{instance="f1"}': STEADY},
        {"HeadraceChannelLossy"},
    ),
    "many subscribers are slow": (
        {'headrace_fanout_disconnects_total{reason="slow"}': "0+100x200"},
        {"HeadraceSlowSubscribers"},
    ),
    "clients come back too late": (
        {'headrace_fanout_replays_total{outcome="gap"}': STEADY},
        {"HeadraceHistoryTooShort"},
    ),
    "the API fails": (
        {'headrace_api_requests_total{status="500"}': STEADY},
        {"HeadraceApiFailing"},
    ),
    "the API is slow": (
        {
            'headrace_api_request_seconds_bucket{le="0.1"}': "0x200",
            'headrace_api_request_seconds_bucket{le="5"}': STEADY,
        },
        {"HeadraceApiSlow"},
    ),
}


@dataclass
class Promtool:
    """`promtool test rules` on series of one's own."""

    path: str

    def fires(self, series: dict[str, str], alerts: set[str], folder) -> str:
        """Nothing when exactly these alerts fire after half an hour, else what promtool says."""
        query = 'count by (alertname) (ALERTS{alertstate="firing"})'
        samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(alerts)]
        tried = {
            "rule_files": [str(RULES)],
            "tests": [
                {
                    "interval": "15s",
                    "input_series": [{"series": s, "values": v} for s, v in series.items()],
                    "promql_expr_test": [
                        {"expr": query, "eval_time": "30m", "exp_samples": samples}
                    ],
                }
            ],
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


def test_nothing_fires_while_all_is_well(promtool, tmp_path):
    assert promtool.fires(WELL, set(), tmp_path) == ""


@pytest.mark.parametrize("trouble", TROUBLE)
def test_a_trouble_sets_off_its_alert_and_no_other(promtool, trouble, tmp_path):
    changed, alerts = TROUBLE[trouble]
    series = {name: values for name, values in (WELL | changed).items() if values}
    assert promtool.fires(series, alerts, tmp_path) == ""


def test_every_alert_is_tried():
    assert set().union(*(alerts for _, alerts in TROUBLE.values())) == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_has_its_entry_in_the_runbook(name: str):
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"]["runbook"] == f"docs/operations.md#{name.lower()}"
    entry = re.search(rf"^### {name}\n\n(.+?)(?=\n#|\Z)", OPERATIONS, re.M | re.S)
    assert entry, f"docs/operations.md lacks ### {name}"
    assert len(entry[1]) > 80, "what it means and what to do"


def test_the_prometheus_operator_gets_the_same_rules():
    rule = ROOT / "deploy/kubernetes/components/monitoring/prometheus-rule.yaml"
    ours = yaml.safe_load(RULES.read_text())
    assert yaml.safe_load(rule.read_text())["spec"] == ours


def test_prometheus_understands_its_configuration(promtool):
    config = ROOT / "deploy/prometheus/prometheus.yaml"
    done = subprocess.run(
        [promtool.path, "check", "config", str(config)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
