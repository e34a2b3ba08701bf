"""The suite where replicas take over: Sentinels, a Cluster, and an acknowledgement given too soon.

Short runs here; `make chaos REDIS=sentinel` or `REDIS=cluster` for longer ones.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos.checker import Kind
from tests.chaos.failovers import GOALS
from tests.chaos.redis_failover import of_kind
from tests.chaos.report import Report
from tests.chaos.run import run
from tests.chaos.test_chaos import shown

pytestmark = pytest.mark.timeout(150)

KILLED = "SIGKILL of the primary"
SHORT = {
    "sentinel": (KILLED, "SIGKILL of a Sentinel", "SIGKILL of a fanout"),
    "cluster": (KILLED, "slot moved"),
}


@pytest.mark.parametrize("kind", SHORT)
async def test_nothing_is_lost_whoever_takes_over(tmp_path, kind):
    seed = int(os.environ.get("SEED", "6"))
    only = SHORT[kind]
    report = await run(tmp_path, seed=seed, seconds=6, only=only, **of_kind(kind))
    assert report.violations == [], shown(report)
    seconds = {each.name: each.recovery for each in report.struck}
    assert KILLED in seconds, shown(report)
    assert seconds[KILLED] < GOALS[KILLED]
    assert report.acks > 3
    assert report.delivered > 3 * report.chain_events


async def lossy(folder: Path, **environment: str) -> Report:
    """The primary dies with writes that nobody else had."""
    settings = of_kind("sentinel") | {"SOURCE": "horizon"} | environment
    return await run(folder, seed=7, seconds=1, only=(f"{KILLED}, writes lost",), **settings)


async def test_what_a_failover_loses_is_brought_back_or_was_never_acknowledged(tmp_path):
    report = await lossy(tmp_path)
    assert report.violations == [], shown(report)


async def test_a_write_that_no_replica_had_when_it_was_acknowledged_is_missed(tmp_path):
    report = await lossy(tmp_path, WAIT_REPLICAS="0")
    assert Kind.LOST in {each.kind for each in report.violations}, shown(report)


async def test_an_api_that_does_not_wait_for_the_chain_after_a_failover_is_noticed(tmp_path):
    report = await lossy(tmp_path, MUTATION="settling_off")
    seen = {each.kind for each in report.violations}
    assert seen & {Kind.MISSING, Kind.DISORDER}, shown(report)
