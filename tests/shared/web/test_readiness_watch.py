"""The background check of one part of /readyz."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from structlog.testing import capture_logs

from shared.runtime.tasks import cancel
from shared.web.probes import Readiness
from shared.web.readiness_watch import Check, watch_part
from tests.support.waiting import until

QUICK = 0.001


def checks(answers: Iterator[str | None]) -> Check:
    """A check that gives these answers, then the last one again and again."""
    last: str | None = None

    async def check() -> str | None:
        nonlocal last
        last = next(answers, last)
        return last

    return check


async def test_each_change_of_a_part_is_set_and_logged_once() -> None:
    readiness = Readiness("redis")
    check = checks(iter([None, None, "away", "away", "full", None]))
    with capture_logs() as logs:
        task = asyncio.create_task(
            watch_part(readiness, "redis", check, interval=QUICK, unready_interval=QUICK)
        )
        await until(lambda: len(logs) == 4)
        await cancel(task)
    assert [(line["event"], line.get("reason")) for line in logs] == [
        ("part_well", None),
        ("part_unwell", "away"),
        ("part_unwell", "full"),
        ("part_well", None),
    ]
    assert readiness.ready
