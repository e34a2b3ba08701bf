"""The lower limit for any server: a C program (floor.c) that only sends."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from tests.bench.compiled import program
from tests.bench.environment import ALL
from tests.bench.publish import at_rate
from tests.bench.swarm import Swarm
from tests.support.waiting import free_port


class Floor(NamedTuple):
    """What a send costs at least: CPU µs, and the seconds until the client has read it."""

    us: float
    latencies: list[float]


async def floor(
    frame_bytes: int,
    *,
    clients: int,
    rate: float,
    share: int,
    seconds: float,
    also: Callable[[], Awaitable[None]] | None = None,
) -> Floor:
    """`rate` times a second, a record of 16 bytes wakes the program. It sends to `share` clients.

    `also` is awaited before each record, to keep the other processes of a system as busy as they
    are when a fanout is measured. Raises RuntimeError unless the clients get all frames.
    """
    port = free_port()
    process = _start(port, clients, frame_bytes, share)
    swarm = Swarm(port, [ALL] * clients)
    assert process.stdin
    records = process.stdin

    async def wake() -> None:
        if also:
            await also()
        records.write(b"%16d" % (time.time_ns() // 1000))

    try:
        await swarm.connected()
        await at_rate(rate, seconds, wake)
        records.close()
        assert process.stdout
        line = await asyncio.to_thread(process.stdout.readline)
        result = await swarm.stop()
    finally:
        swarm.close()
        process.kill()
        process.wait()
    sends = round(rate * seconds) * share
    if sum(result["events"]) != sends:
        raise RuntimeError(f"the clients got {sum(result['events'])} of {sends} frames")
    return Floor(float(json.loads(line)["us"]), result["latencies"])


def _start(*numbers: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [program("floor"), *map(str, numbers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    assert process.stdout
    process.stdout.readline()  # the program prints a line when it listens
    return process
