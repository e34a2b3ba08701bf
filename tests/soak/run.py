"""A soak: the whole system under steady load, without faults. It must lose and leak nothing.

With a flood, one account also attacks it all the time (tests.attacks.flood).
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.runtime.tasks import cancel
from tests.attacks.flood import FloodResult
from tests.attacks.helpers import flooding, measuring
from tests.attacks.live import LivePlan, LiveResult
from tests.chaos.flood import flood_plan
from tests.chaos.redis_single import RedisDirect
from tests.chaos.report import Report
from tests.chaos.run import Run
from tests.chaos.tokens import token
from tests.chaos.world import APIS, FANOUTS, KEYS, SERVICES, World, world
from tests.soak.gauges import ProcessSamples, count_keys, raise_failures, watch
from tests.soak.recorder import JournalRecorder
from tests.soak.slope import line, without_warm_up
from tests.support.pace import last

JOURNAL = 5_000
"""Events that the journal keeps: few, so that it is trimmed within minutes instead of days."""

MOST_MEGABYTES = 3.0
MOST_DESCRIPTORS = 5.0
"""Growth after the warm-up that is accepted, because the heap of Python takes long to settle.
A leak of 1 KB for each event would be twenty times as much in an hour."""

MOST_MILLISECONDS = 10.0
"""The goal for 99 % of all live deliveries, from the commit to an ordinary client."""


@dataclass(slots=True)
class SoakResult:
    """The result: the report of the run, samples by process, and keys of Redis by kind.

    `live` are the delivery times of all events except those of the flood.
    """

    report: Report
    samples: dict[str, ProcessSamples] = field(default_factory=dict)
    keys: Counter[str] = field(default_factory=Counter)
    live: list[LiveResult] = field(default_factory=list)
    flood: list[FloodResult] = field(default_factory=list)

    @property
    def growing(self) -> list[str]:
        """The services that leak. Redis is not checked, because it grows with its streams."""
        found = []
        for name in SERVICES:
            for samples, most in zip(
                self.samples[name].series(), (MOST_MEGABYTES, MOST_DESCRIPTORS), strict=True
            ):
                kept = without_warm_up(samples)
                if line(kept).sure_growth(kept[-1][0] - kept[0][0]) > most:
                    found.append(name)
        return found

    @property
    def late(self) -> bool:
        """Whether live events came later than the goal allows."""
        return any(each.p99 > MOST_MILLISECONDS for each in self.live)


async def soak(
    folder: Path,
    *,
    seconds: float,
    every: float = 5.0,
    seed: int = 1,
    flood: bool = False,
    low_priority: bool = True,
    **environment: str,
) -> SoakResult:
    """`every` is the number of seconds between samples. `environment` goes to the services.

    With `low_priority`, this process leaves the CPU to the services. On a machine that is busy with
    other things it then gets next to nothing.
    """
    rng = random.Random(seed)
    result = SoakResult(Report(seed, seconds))
    settings: dict[str, Any] = {"SOURCE": "auto", "JOURNAL_MAX_LENGTH": str(JOURNAL)}
    settings |= environment
    async with world(folder, seed, RedisDirect, **settings) as system:
        chaos_run = Run(system, rng, result.report)
        async with chaos_run.connected_clients():
            pids = {name: system.running[name].pid for name in SERVICES}
            pids["redis"] = int((await system.redis.info("server"))["process_id"])
            recorder = JournalRecorder(system, chaos_run)
            tasks = [
                asyncio.create_task(watch(pids, result.samples, every)),
                asyncio.create_task(recorder.record()),
            ]
            async with _helpers(system, result, flood, seconds, low_priority):
                ends = time.monotonic() + seconds
                while time.monotonic() < ends:
                    await last(min(1.0, seconds / 10))
                    await raise_failures(*tasks)
                await cancel(tasks[0])
            result.keys = await count_keys(system.redis, KEYS.journal.removesuffix("journal"))
            await chaos_run.judge(30, recorder.read_all)
            await cancel(tasks[1])
    return result


@asynccontextmanager
async def _helpers(
    system: World, result: SoakResult, flood: bool, seconds: float, low_priority: bool
) -> AsyncIterator[None]:
    """Measure live deliveries and, if wanted, flood. Both connect to the services directly."""
    apis, fanouts = ([system.running[name].port for name in names] for names in (APIS, FANOUTS))
    plan = flood_plan(apis, fanouts)
    bearer = token("measure", scope="events:all", seconds=seconds + 600, at=time.time(), name="m")
    live = LivePlan(fanouts, "all=true", bearer, without=plan.account)
    async with AsyncExitStack() as stack:
        measured = await stack.enter_async_context(measuring(live))
        flooded = await stack.enter_async_context(flooding(plan)) if flood else []
        if low_priority:
            stack.enter_context(_low_priority())
        yield
    result.live, result.flood = measured, flooded


@contextmanager
def _low_priority() -> Iterator[None]:
    """Lower the priority of this process, so that its clients take no CPU from the services.

    The services were started before, and keep their priority.
    """
    before = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, 10)
    try:
        yield
    finally:
        with suppress(PermissionError):  # only root may raise it again
            os.setpriority(os.PRIO_PROCESS, 0, before)
