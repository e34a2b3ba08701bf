"""Random faults with fanouts that read replicas of Redis, and a removed safeguard.

This run is short; `make chaos REDIS=replicas` or `REDIS=sentinel-replicas` makes a longer one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.checker import Kind
from tests.chaos.deletions import FLUSHED, FLUSHED_LATE
from tests.chaos.kinds import of_kind
from tests.chaos.link_faults import CUT_OFF, HELD_BACK
from tests.chaos.report import Report
from tests.chaos.run import run
from tests.chaos.test_chaos import noticed, shown
from tests.support.tier import at_length

pytestmark = [pytest.mark.io, pytest.mark.timeout(at_length(300, 900))]

KILLED = "SIGKILL of the primary"


@pytest.mark.nightly  # tests/fanout/feed/test_redis_replicas.py has these faults by day
async def test_with_late_and_cut_off_replicas_no_event_is_lost(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED", "6"))
    only = (HELD_BACK, CUT_OFF, KILLED)
    settings = of_kind("replicas")
    report = await run(tmp_path, seed=seed, seconds=at_length(3, 120), only=only, **settings)
    assert report.violations == [], shown(report)
    assert {each.name for each in report.injected} == set(only)
    assert report.delivered > 3 * report.chain_events
    assert report.resets == 0


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("kind", ["replicas", "sentinel-replicas"])
async def test_under_all_faults_no_event_is_lost(tmp_path: Path, kind: str, seed: int) -> None:
    report = await run(tmp_path, seed=seed, seconds=45, **of_kind(kind))
    assert report.violations == [], shown(report)


LOSSES = {"replicas": (FLUSHED, FLUSHED_LATE), "sentinel-replicas": (FLUSHED, KILLED)}


@pytest.mark.nightly
@pytest.mark.parametrize("kind", LOSSES)
async def test_when_redis_loses_everything_all_clients_are_told(tmp_path: Path, kind: str) -> None:
    report = await run(tmp_path, seed=22, seconds=15, only=LOSSES[kind], **of_kind(kind))
    assert report.violations == [], shown(report)
    assert {each.name for each in report.injected} == set(LOSSES[kind])
    assert report.resets


async def lagging(folder: Path, seed: int, **environment: str) -> Report:
    """A run in which replicas are late. A fanout that starts again may read another replica."""
    settings: dict[str, Any] = of_kind("replicas") | {"SOURCE": "horizon"} | environment
    only = (HELD_BACK, "SIGKILL of a fanout")
    return await run(folder / str(seed), seed=seed, seconds=20, only=only, **settings)


@pytest.mark.nightly
async def test_a_replica_that_is_taken_for_the_primary_is_noticed(tmp_path: Path) -> None:
    """A fanout that believes its replica sends `reset` to clients that were only ahead of it."""
    seen = {Kind.DUPLICATE, Kind.DISORDER, Kind.RESET}

    async def attempt(seed: int) -> Report:
        return await lagging(tmp_path, seed, MUTATION="replica_believed")

    assert await noticed(seen, attempt, range(7, 13))
