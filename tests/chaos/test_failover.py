"""Random faults with failovers of Redis: Sentinels, a Cluster, and removed safeguards.

These runs are short; `make chaos REDIS=sentinel` or `REDIS=cluster` makes longer ones.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos.checker import Kind
from tests.chaos.kinds import of_kind
from tests.chaos.report import GOALS, Report
from tests.chaos.run import run
from tests.chaos.test_chaos import noticed, shown
from tests.support.tier import at_length, one_in_test

pytestmark = [pytest.mark.io, pytest.mark.timeout(300)]

KILLED = "SIGKILL of the primary"
SHORT = {
    "sentinel": (KILLED, "SIGKILL of a Sentinel", "SIGKILL of a fanout"),
    "cluster": (KILLED, "slot moved"),
}


@pytest.mark.parametrize("kind", one_in_test(["sentinel", "cluster"]))
async def test_in_a_failover_no_event_is_lost(tmp_path: Path, kind: str) -> None:
    seed = int(os.environ.get("SEED", "6"))
    only = SHORT[kind]
    report = await run(tmp_path, seed=seed, seconds=at_length(6, 120), only=only, **of_kind(kind))
    assert report.violations == [], shown(report)
    killed = [each for each in report.injected if each.name == KILLED]
    assert killed, shown(report)
    assert all((each.recovery or 0.0) < GOALS[KILLED] for each in killed if each.alone)
    assert report.acks > 3
    assert report.delivered > 3 * report.chain_events


async def lossy(folder: Path, seed: int = 7, **environment: str) -> Report:
    """A run in which the primary dies with writes that no replica has."""
    settings = of_kind("sentinel") | {"SOURCE": "horizon"} | environment
    only = (f"{KILLED}, writes lost",)
    return await run(folder / str(seed), seed=seed, seconds=1, only=only, **settings)


@pytest.mark.nightly
async def test_writes_lost_in_a_failover_are_restored_or_were_not_acknowledged(
    tmp_path: Path,
) -> None:
    report = await lossy(tmp_path)
    assert report.violations == [], shown(report)


NOTICED = {
    "acknowledged without a replica": ({"WAIT_REPLICAS": "0"}, {Kind.LOST}),
    "an API that does not wait for lost events": (
        {"MUTATION": "settling_off"}, {Kind.MISSING, Kind.DISORDER},
    ),
}  # fmt: skip


@pytest.mark.nightly
@pytest.mark.parametrize("needed", [*NOTICED])
async def test_a_removed_safeguard_of_failovers_is_noticed(tmp_path: Path, needed: str) -> None:
    environment, seen = NOTICED[needed]
    # About one run in two loses a write at the right moment, so there are six.
    seeds = range(7, 13)
    assert await noticed(seen, lambda seed: lossy(tmp_path, seed, **environment), seeds)
