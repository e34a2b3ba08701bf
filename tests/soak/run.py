"""A soak: the whole system under steady load, without faults. It must lose and leak nothing."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from shared.domain.position import START, parse_position
from shared.journal.reader import Journal, JournalPage
from shared.journal.wire import JournalEntry
from shared.runtime.tasks import cancel
from tests.chaos.report import Report
from tests.chaos.run import Run
from tests.chaos.world import KEYS, SERVICES, World, world
from tests.soak.gauges import ProcessSamples, count_keys, raise_failures, watch
from tests.soak.slope import line, without_warm_up
from tests.support.pace import last

JOURNAL = 5_000
"""Events that the journal keeps: few, so that it is trimmed within minutes instead of days."""

MOST_MEGABYTES = 3.0
MOST_DESCRIPTORS = 5.0
"""Growth after the warm-up that is accepted, because the heap of Python takes long to settle.
A leak of 1 KB for each event would be twenty times as much in an hour."""


@dataclass(slots=True)
class SoakResult:
    """The result: the report of the run, samples by process, and keys of Redis by kind."""

    report: Report
    samples: dict[str, ProcessSamples] = field(default_factory=dict)
    keys: Counter[str] = field(default_factory=Counter)

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


async def soak(
    folder: Path, *, seconds: float, every: float = 5.0, seed: int = 1, **environment: str
) -> SoakResult:
    """`every` is the number of seconds between samples. `environment` goes to the services."""
    rng = random.Random(seed)
    result = SoakResult(Report(seed, seconds))
    settings: dict[str, Any] = {"SOURCE": "auto", "JOURNAL_MAX_LENGTH": str(JOURNAL)} | environment
    async with world(folder, seed, **settings) as system:
        chaos_run = Run(system, rng, result.report)
        async with chaos_run.connected_clients():
            pids = {name: system.running[name].pid for name in SERVICES}
            pids["redis"] = int((await system.redis.info("server"))["process_id"])
            recorder = JournalRecorder(system, chaos_run)
            tasks = [
                asyncio.create_task(watch(pids, result.samples, every)),
                asyncio.create_task(recorder.record()),
            ]
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                await last(min(1.0, seconds / 10))
                await raise_failures(*tasks)
            await cancel(tasks[0])
            result.keys = await count_keys(system.redis, KEYS.journal.removesuffix("journal"))
            await chaos_run.judge(30, recorder.read_all)
            await cancel(tasks[1])
    return result


class JournalRecorder:
    """Keeps the whole journal with little memory, because Redis trims the journal's old end."""

    def __init__(self, system: World, chaos_run: Run) -> None:
        self.journal: list[JournalEntry] = []
        self._reader = Journal(system.redis, KEYS)
        self._chaos_run = chaos_run
        self._bodies: dict[str, str] = {}
        self._seen: Counter[str] = Counter()

    async def record(self) -> None:
        """Read new entries until cancelled."""
        while True:
            await self._read()
            self._share_bodies()
            await last(1.0)

    async def read_all(self) -> list[JournalEntry]:
        """All entries up to now."""
        await self._read()
        return self.journal

    async def _read(self) -> None:
        """Read the new entries. If some were already trimmed, the check reports them as lost."""
        while True:
            after = parse_position(self.journal[-1].position) if self.journal else START
            match await self._reader.after(after):
                case JournalPage(entries, _):
                    self.journal += entries
                case _:
                    return

    def _share_bodies(self) -> None:
        """Let all clients share one copy of the text of each event."""
        for client in self._chaos_run.clients:
            for n in range(self._seen[client.name], len(client.frames)):
                frame = client.frames[n]
                body = self._bodies.setdefault(frame.body, frame.body)
                client.frames[n] = replace(frame, body=body)
            self._seen[client.name] = len(client.frames)
