"""Moves the clock of a process while it runs, with libfaketime and a file that has the offset.

Only the time of day moves; intervals stay the same, as when an operator or NTP sets the clock of a
machine. A process reads the file once a second.
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
"""Seconds until a process has read the file."""

_RENEWED = 1.0
"""Seconds until each lease was renewed with the correct clock of Redis."""

_WRONG = 10 * 86_400
"""Seconds by which the clock of a machine without NTP may be wrong."""

_SEEN_TO = 5.0
"""Seconds until a fanout with a corrected clock has checked every token."""


@cache
def library() -> str:
    """The path of libfaketime, or "". Raises AssertionError in CI if it is not installed."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    missing = "no clock jumps without libfaketime: apt-get install libfaketime"
    assert found or os.environ.get("CI") != "true", missing
    return str(found[0]) if found else ""


class Clock:
    """The clock of one process, and of the processes that replace it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        self.move(0)

    @property
    def environment(self) -> dict[str, str]:
        """The environment for the process. Empty if libfaketime is not installed.

        The C library's malloc is loaded before jemalloc, which asks for the time before it can
        allocate.
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
        """Set the offset from the true time."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+.3f}\n", encoding="ascii")
        new.replace(self._file)


Fault = Callable[[], Awaitable[str]]

Span = tuple[float, float]
"""Start and end, by the monotonic clock."""


def forget(pid: int) -> None:
    """Remove the files that libfaketime leaves after a killed process."""
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        (Path("/dev/shm") / name).unlink(missing_ok=True)


def trusted(
    frames: Iterable[ReceivedFrame], began: float, wrong: Sequence[Span]
) -> Iterator[ReceivedFrame]:
    """The frames that were received while no clock was wrong. `began` is the start of the run."""
    for each in frames:
        if not any(since <= began + each.at <= until for since, until in wrong):
            yield each


class ClockFaults:
    """The faults of clocks.

    `wrong` has the times when a clock was wrong, with the time until its effects are over.

    `of_redis` is True if the clock of Redis was moved.
    """

    def __init__(self, clocks: dict[str, Clock], rng: random.Random) -> None:
        self.of_redis = False
        self.wrong: list[Span] = []
        self._clocks = clocks
        self._rng = rng

    def all(self) -> dict[str, Fault]:
        """The faults by the name in the table. None if libfaketime is not installed."""
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
        """Move a clock forward or backward by seconds to minutes, and back again after a while."""
        began, name = time.monotonic(), self._rng.choice(names)
        self.of_redis |= name == "redis"
        moved = self._rng.choice((-1, 1)) * self._rng.choice(by)
        self._clocks[name].move(moved)
        await last(self._rng.uniform(seconds - 1, seconds + 1))
        self._clocks[name].move(0)
        await last(_LAZY + _RENEWED)
        self.wrong.append((began, time.monotonic() + _SEEN_TO))
        return f"{name} {moved:+} s"
