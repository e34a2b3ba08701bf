"""Measures the delivery of live events: `python -m tests.attacks.live`.

The process reads one line of JSON from stdin (`LivePlan`) and subscribes once to each fanout, as an
ordinary client. When stdin ends, it prints a `LiveResult` as one line of JSON. It is a separate
process, so that only the services delay it. Redis and this process use the same clock.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field

import orjson

from shared.runtime.tasks import cancel
from tests.support.pace import last

_PUBLISHED = re.compile(rb'^data: \{.*?"publishedAt":(\d+)')
_LONGEST = 1 << 20
_STEP = 1e-4
"""Seconds: the resolution of the times."""


@dataclass(frozen=True, slots=True)
class LivePlan:
    """`fanouts` are ports on 127.0.0.1. Events that contain the text `without` do not count."""

    fanouts: list[int]
    query: str
    token: str
    without: str = ""


@dataclass(frozen=True, slots=True)
class LiveResult:
    """Milliseconds from the commit of an event to its arrival, and the number of arrivals."""

    count: int
    p50: float
    p99: float
    most: float


@dataclass(slots=True)
class Times:
    """Counts times in steps, so that its size does not grow with their number."""

    steps: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: float) -> None:
        """Count one time."""
        self.steps[round(seconds / _STEP)] += 1

    def percentile(self, part: float) -> float:
        """The time in milliseconds that this part (0 to 1) of all times does not exceed."""
        wanted, seen = part * self.steps.total(), 0
        for step, count in sorted(self.steps.items()):
            seen += count
            if seen >= wanted:
                return round(step * _STEP * 1000, 1)
        return 0.0

    def result(self) -> LiveResult:
        """The summary."""
        return LiveResult(self.steps.total(), *map(self.percentile, (0.5, 0.99, 1.0)))


async def _listen(port: int, plan: LivePlan, times: Times) -> None:
    """Subscribe again and again. Events from before a connection are replayed and do not count."""
    head = f"GET /v1/events/subscribe?{plan.query} HTTP/1.1\r\nHost: test\r\n"
    head += f"Authorization: Bearer {plan.token}\r\n\r\n"
    without = plan.without.encode()
    while True:
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_LONGEST)
            writer.write(head.encode())
            since = time.time()
            while line := await reader.readline():
                now = time.time()
                found = _PUBLISHED.match(line)
                if found and int(found[1]) / 1e6 > since and not (without and without in line):
                    times.add(now - int(found[1]) / 1e6)
            writer.close()
        await last(0.2)


async def main() -> None:
    """Measure until stdin ends."""
    plan = LivePlan(**orjson.loads(await asyncio.to_thread(sys.stdin.buffer.readline)))
    times = Times()
    tasks = [asyncio.create_task(_listen(port, plan, times)) for port in plan.fanouts]
    await asyncio.to_thread(sys.stdin.buffer.read)
    await cancel(*tasks)
    print(orjson.dumps(asdict(times.result())).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
