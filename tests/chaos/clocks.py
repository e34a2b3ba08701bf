"""A process' own clock, moved while it runs: libfaketime before it, and a file that it reads.

Only what the clock on the wall says is moved; intervals stay as they are, as when an operator or
NTP sets a machine's time. The file is read anew once a second.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from tests.support.pace import last

_LIBRARY = "*/faketime/libfaketimeMT.so.1"
_LAZY = 1.0
"""Seconds until a process has noticed."""

_NOTICED = 3.0
"""Seconds until leases are renewed and tokens looked at by the clock that is right again."""


@cache
def library() -> str:
    """Its path; "" without it. Raises AssertionError where it has to be there (CI)."""
    found = next((str(each) for each in sorted(Path("/usr/lib").glob(_LIBRARY))), "")
    assert found or os.environ.get("CI") != "true", "no libfaketime: apt-get install libfaketime"
    return found


class Clock:
    """The clock of one process, and of those that are started in its place."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.move(0.0)

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


class Clocks:
    """The acts: the clock of a service or of Redis jumps by seconds to minutes, and back again."""

    def __init__(self, clocks: Mapping[str, Clock], chance: random.Random) -> None:
        """`wrong` is when which clock was, by the monotonic one."""
        self.wrong: list[tuple[str, float, float]] = []
        self._clocks = clocks
        self._chance = chance

    async def jump(self, names: Sequence[str]) -> str:
        """Whatever it believes of its clock, the others know better."""
        name = self._chance.choice(names)
        seconds = self._chance.choice((-1, 1)) * self._chance.choice((2, 10, 60, 300))
        began = time.monotonic()
        try:
            self._clocks[name].move(seconds)
            await last(self._chance.uniform(2, 4))
        finally:
            self._clocks[name].move(0)
        await last(_LAZY + _NOTICED)
        self.wrong.append((name, began, time.monotonic()))
        return f"{name} {seconds:+} s"
