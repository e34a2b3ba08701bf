"""Clocks that jump while a process runs: libfaketime before it, and a file that tells the time.

Only the time of day is moved; intervals stay as they are, as when an operator or NTP sets a
machine's clock. A process reads the file anew once a second.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path

from tests.chaos.checker import ReceivedFrame
from tests.support.pace import last

_LAZY = 1.0
"""Seconds until a process has noticed."""

_RENEWED = 1.0
"""Seconds after which a lease has its time by the clock of Redis that is right again."""

_WRONG = 10 * 86_400
"""Seconds by which a machine that never heard of NTP may be wrong."""

_SEEN_TO = 5.0
"""Seconds after which a fanout whose clock is right again has looked at every token."""


@cache
def library() -> str:
    """Its path, "" without it. Raises AssertionError where it has to be there (CI)."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    missing = "no clock jumps without libfaketime: apt-get install libfaketime"
    assert found or os.environ.get("CI") != "true", missing
    return str(found[0]) if found else ""


class Clock:
    """The clock of one process, and of those that are started in its place."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        self.move(0)

    @property
    def environment(self) -> dict[str, str]:
        """What the process is started with; nothing without the library.

        The C library's malloc goes before jemalloc, which asks for the time before it can allocate.
        """
        if not library():
            return {}
        return {
            "LD_PRELOAD": f"{library()}:libc.so.6",
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": f"{_LAZY:.0f}",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def move(self, seconds: float) -> None:
        """Ahead of the true time by so much, or behind it."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+.3f}\n", encoding="ascii")
        new.replace(self._file)


Fault = Callable[[], Awaitable[str]]

Span = tuple[float, float]
"""From and to, by the monotonic clock."""


def forget(pid: int) -> None:
    """Remove what the library leaves of a process that was killed."""
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        (Path("/dev/shm") / name).unlink(missing_ok=True)


def trusted(
    told: Iterable[ReceivedFrame], began: float, wrong: Sequence[Span]
) -> Iterator[ReceivedFrame]:
    """What was told while no clock was wrong; `began` is when the run did."""
    for each in told:
        if not any(since <= began + each.at <= until for since, until in wrong):
            yield each


class ClockFaults:
    """The acts: as in tests.chaos.faults. `wrong` is when a clock was, or what follows from it.

    `of_redis` is whether that of Redis was.
    """

    def __init__(self, clocks: dict[str, Clock], rng: random.Random) -> None:
        self.of_redis = False
        self.wrong: list[Span] = []
        self._clocks = clocks
        self._rng = rng

    def all(self) -> dict[str, Fault]:
        """Each by its name in the table; none without the library."""
        if not library():
            return {}
        services = [name for name in self._clocks if name != "redis"]
        apis = [name for name in services if name.startswith("api")]
        faults: dict[str, Fault] = {"clock of a service jumps": partial(self.jump, services)}
        faults["clock of an API is wrong"] = partial(self.jump, apis, (_WRONG,), 6.0)
        if "redis" in self._clocks:
            faults["clock of Redis jumps"] = partial(self.jump, ["redis"])
        return faults

    async def jump(
        self, names: list[str], by: Sequence[int] = (2, 10, 60, 300), seconds: float = 3.0
    ) -> str:
        """By seconds to minutes, forward or backward, and after a while back again."""
        began, name = time.monotonic(), self._rng.choice(names)
        self.of_redis |= name == "redis"
        moved = self._rng.choice((-1, 1)) * self._rng.choice(by)
        self._clocks[name].move(moved)
        await last(self._rng.uniform(seconds - 1, seconds + 1))
        self._clocks[name].move(0)
        await last(_LAZY + _RENEWED)
        self.wrong.append((began, time.monotonic() + _SEEN_TO))
        return f"{name} {moved:+} s"
