"""Random faults with an archive: nothing is lost, and no client gets a `gap` or a `reset`.

`make chaos ARCHIVE=file` or `ARCHIVE=s3` makes longer runs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.archive_check import check_archive
from tests.chaos.archive_faults import AWAY, READ_ONLY, RESTORED
from tests.chaos.checker import Kind
from tests.chaos.report import Report
from tests.chaos.run import run
from tests.chaos.test_chaos import noticed, shown
from tests.shared.archive.entries import EntrySource

pytestmark = [pytest.mark.io, pytest.mark.timeout(300)]

KILLED = "SIGKILL of the active archiver"
IN_A_FOLDER = (KILLED, "two archivers active", AWAY, READ_ONLY, "SIGKILL of every fanout", RESTORED)
IN_A_BUCKET = (
    *(KILLED, "SIGTERM of an archiver", "archiver asleep", AWAY, READ_ONLY),
    *("connections cut", "connections delayed", "connections throttled", "connections half-open"),
    *("SIGKILL of Redis", "SIGKILL of a fanout", RESTORED),
)


def check(report: Report, only: tuple[str, ...]) -> None:
    assert report.violations == [], shown(report)
    assert set(only) <= {each.name for each in report.injected}
    assert report.archived > report.chain_events
    assert (report.gaps, report.resets) == (0, 0), "not even after all data of Redis was lost"
    assert report.delivered > 3 * report.chain_events


@pytest.mark.nightly  # tests/archiver/test_process.py kills and restores each day
async def test_an_archive_loses_nothing_and_fills_an_empty_redis(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED", "7"))
    report = await run(
        tmp_path, seed=seed, seconds=120, only=IN_A_FOLDER, archive="file", START="earliest"
    )
    check(report, IN_A_FOLDER)


@pytest.mark.nightly
async def test_a_bucket_that_is_slow_or_away_loses_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED", "9"))
    report = await run(
        tmp_path, seed=seed, seconds=120, only=IN_A_BUCKET, archive="s3", START="earliest"
    )
    check(report, IN_A_BUCKET)


@pytest.mark.nightly
async def test_a_fanout_without_an_archive_is_noticed(tmp_path: Path) -> None:
    async def attempt(seed: int) -> Report:
        only = ("SIGKILL of every fanout",)
        mutant: dict[str, Any] = {"MUTATION": "archive_unread", "SOURCE": "horizon"}
        folder = tmp_path / str(seed)
        return await run(folder, seed=seed, seconds=4, only=only, archive="file", **mutant)

    assert await noticed({Kind.GAP}, attempt)


def test_the_check_of_an_archive_finds_each_mistake() -> None:
    whole = EntrySource(3, 3).take(6)
    kinds = lambda *given: [each.kind for each in check_archive(*given)]  # noqa: E731
    assert kinds(whole[:4], whole[2:]) == []
    assert kinds([*whole[:2], *whole[1:4]], whole[3:]) == [Kind.DUPLICATE]
    assert kinds([*whole[:2], *whole[3:5]], whole[3:]) == [Kind.MISSING]
    assert kinds(whole[:2], whole[4:]) == [Kind.MISSING]
    other = [whole[0], whole[1]._replace(body=b"{}")]
    assert kinds(other, whole[1:]) == [Kind.ALTERED]
