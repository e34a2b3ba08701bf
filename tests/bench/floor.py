"""The lower limit for any server: the CPU that a C program (floor.c) needs only to send."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

from tests.bench.environment import ALL, BenchEnvironment
from tests.bench.processes import Swarm
from tests.support.waiting import free_port

_SECONDS = 8


async def floor(
    env: BenchEnvironment, frame_bytes: int, *, rate: int, share: int, clients: int
) -> float:
    """CPU µs per send. `rate` times a second, the program sends to the next `share` clients."""
    port = free_port()
    process = _start(env.folder / "floor", port, clients, frame_bytes, rate, _SECONDS, share)
    swarm = Swarm(port, [ALL] * clients)
    try:
        await swarm.connected()
        line = await asyncio.to_thread(process.communicate, "go\n")
    finally:
        swarm.close()
        process.kill()
        process.wait()
    return float(json.loads(line[0])["us"])


def _start(program: Path, *numbers: int) -> subprocess.Popen[str]:
    if not program.exists():
        source = Path(__file__).parent / "floor.c"
        subprocess.run(["cc", "-O2", "-o", program, source], check=True)
    process = subprocess.Popen(
        [program, *map(str, numbers)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    process.stdout.readline()  # the program prints a line when it listens
    return process
