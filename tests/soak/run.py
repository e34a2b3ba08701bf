"""A soak: the whole system in a steady life, without faults; nothing lost, nothing growing."""

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
from tests.soak.gauges import Gauge, gathered, kinds_of_keys, watch
from tests.soak.slope import line, settled
from tests.support.pace import last

JOURNAL = 5_000
"""Events kept: so few that the journal is trimmed within minutes, as it is in life within days."""

MOST_MEGABYTES = 3.0
MOST_DESCRIPTORS = 5.0
"""Sure growth in the time after the warm-up that still counts as flat: an interpreter's heap takes
long to settle; a leak of 1 KB an event is twenty times as much in an hour."""


@dataclass(slots=True)
class Soaked:
    """What a soak has shown: the report of chaos, the gauges by part, keys of Redis by kind."""

    report: Report
    gauges: dict[str, Gauge] = field(default_factory=dict)
    keys: Counter[str] = field(default_factory=Counter)

    @property
    def grown(self) -> list[str]:
        """The services that are not flat. Redis grows with its streams, as it should."""
        found = []
        for name in SERVICES:
            for samples, most in zip(
                self.gauges[name].both(), (MOST_MEGABYTES, MOST_DESCRIPTORS), strict=True
            ):
                kept = settled(samples)
                if line(kept).sure_growth(kept[-1][0] - kept[0][0]) > most:
                    found.append(name)
        return found


async def soak(
    folder: Path, *, seconds: float, every: float = 5.0, seed: int = 1, **environment: str
) -> Soaked:
    """`every` is the seconds between two samples; `environment` goes to the services."""
    rng = random.Random(seed)
    result = Soaked(Report(seed, seconds))
    given: dict[str, Any] = {"SOURCE": "auto", "JOURNAL_MAX_LENGTH": str(JOURNAL)} | environment
    async with world(folder, seed, **given) as whole:
        life = Run(whole, rng, result.report)
        async with life.connected_clients():
            pids = {name: whole.running[name].pid for name in SERVICES}
            pids["redis"] = int((await whole.redis.info("server"))["process_id"])
            notes = Notes(whole, life)
            tasks = [
                asyncio.create_task(watch(pids, result.gauges, every)),
                asyncio.create_task(notes.keep()),
            ]
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                await last(min(1.0, seconds / 10))
                await gathered(*tasks)
            await cancel(tasks[0])
            result.keys = await kinds_of_keys(whole.redis, KEYS.journal.removesuffix("journal"))
            await life.judge(30, notes.whole)
            await cancel(tasks[1])
    return result


class Notes:
    """The whole journal, noted as it grows, since its old end is trimmed; kept in little memory."""

    def __init__(self, whole: World, life: Run) -> None:
        self.journal: list[JournalEntry] = []
        self._reader = Journal(whole.redis, KEYS)
        self._life = life
        self._bodies: dict[str, str] = {}
        self._seen: Counter[str] = Counter()

    async def keep(self) -> None:
        """Until cancelled."""
        while True:
            await self._read()
            self._share_bodies()
            await last(1.0)

    async def whole(self) -> list[JournalEntry]:
        """All of it, up to now."""
        await self._read()
        return self.journal

    async def _read(self) -> None:
        """What has come since; were the journal trimmed past us, that would show as lost."""
        while True:
            after = parse_position(self.journal[-1].position) if self.journal else START
            match await self._reader.after(after):
                case JournalPage(entries, _):
                    self.journal += entries
                case _:
                    return

    def _share_bodies(self) -> None:
        """Each event was told to many: one text of it is enough."""
        for client in self._life.clients:
            for n in range(self._seen[client.name], len(client.told)):
                told = client.told[n]
                body = self._bodies.setdefault(told.body, told.body)
                client.told[n] = replace(told, body=body)
            self._seen[client.name] = len(client.told)
