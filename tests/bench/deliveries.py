"""The CPU cost of a delivery, compared with a C program, Nchan, and a queue for each client."""

from __future__ import annotations

import asyncio
import statistics
import sys
from pathlib import Path
from string import Template
from typing import NamedTuple

import aiohttp

from tests.bench import processes
from tests.bench.environment import ALL, BenchEnvironment, Row
from tests.bench.floor import floor
from tests.bench.processes import Server, Swarm, check
from tests.bench.publish import Publisher
from tests.support.waiting import free_port

_FOLDER = Path(__file__).parent
_NCHAN = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
_HAS_NCHAN = _NCHAN.exists()
_FRAME = 1300
"""The approximate size of one event on the wire, in bytes."""


_CLIENTS = 5000


class Delivery(NamedTuple):
    """What a delivered event costs: the server's CPU time in µs, and the bytes that a client reads.

    The bytes include the client's share of everything else that it reads, such as `sync`.
    """

    us: float
    size: float


async def measure_delivery(
    server: Server, publisher: Publisher, *, query: str = "", headers: str = ""
) -> Delivery:
    """5,000 subscribers of all events, 10 events/s. `query` and `headers` belong to each request.

    Raises RuntimeError unless each client gets each event.
    """
    swarm = Swarm(server.port, [ALL + query] * _CLIENTS, headers=headers)
    try:
        await swarm.connected()
        before, cpu = len(publisher.published), server.cpu()
        await publisher.run(rate=10, seconds=8)
        await asyncio.sleep(0.5)
        used = server.cpu() - cpu
        count = len(publisher.published) - before
        result = await swarm.stop()
        check(result, count)
    finally:
        swarm.close()
    delivered = count * _CLIENTS
    return Delivery(used * 1e6 / delivered, sum(result["bytes"]) / delivered)


async def deliveries(env: BenchEnvironment) -> list[Row]:
    """5,000 subscribers of all events, 10 events/s. Servers run in turn; medians of three."""
    publisher = env.publisher(10)
    await publisher.prepare()
    ours, floors, queues, nchans = [], [], [], []
    for _ in range(3):
        with processes.fanout(env.redis_url, env.keys, env.folder) as server:
            ours.append((await measure_delivery(server, publisher)).us)
        floors.append(await floor(env, _FRAME, rate=10, share=_CLIENTS, clients=_CLIENTS))
        port = free_port()
        words = [sys.executable, "-m", "tests.bench.queue_per_client", str(port)]
        with processes.command(*words, env.redis_url, port=port) as server:
            queues.append((await measure_delivery(server, publisher)).us)
        if _HAS_NCHAN:
            nchans.append(await _nchan(env))
    await publisher.close()
    us = statistics.median(ours)
    return [
        ("CPU per delivered event, 5,000 × `*`, 10/s", "", f"{us:.2f} µs"),
        _ratio_row("a C program that only sends", "≤ 1.15", us, floors),
        _ratio_row("Nchan", "≤ 0.65", us, nchans),
        _ratio_row("aiohttp with a queue a client", "≤ 0.3", us, queues),
    ]


def _ratio_row(what: str, goal: str, us: float, others: list[float]) -> Row:
    if not others:
        return (f"… against {what}", goal, "not installed")
    other = statistics.median(others)
    return (f"… against {what}", goal, f"{us / other:.2f} ({other:.2f} µs)")


async def _nchan(env: BenchEnvironment) -> float:
    port, folder = free_port(), env.folder / "nchan"
    folder.mkdir(exist_ok=True)
    template = Template((_FOLDER / "nchan.conf.template").read_text(encoding="utf-8"))
    config = folder / "nchan.conf"
    config.write_text(template.substitute(module=_NCHAN, folder=folder, port=port))
    with processes.command("nginx", "-p", str(folder), "-c", str(config), port=port) as server:
        worker = processes.child_of(server)
        swarm = Swarm(port, [ALL] * _CLIENTS, greeting="HTTP/1.1 200 OK")
        try:
            await swarm.connected()
            cpu = worker.cpu()
            await _publish_to_nchan(port, 80)
            used = worker.cpu() - cpu
            result = await swarm.stop()
        finally:
            swarm.close()
    check(result, 80)
    return used * 1e6 / (80 * _CLIENTS)


async def _publish_to_nchan(port: int, count: int) -> None:
    async with aiohttp.ClientSession() as session:
        for n in range(1, count + 1):
            data = f'{{"publishedAt":1700000000000000,"n":"{n}","x":"'
            data = data.ljust(_FRAME - 60, "x") + '"}'
            headers = {"X-EventSource-Event": "stream.withdrawn"}
            url = f"http://127.0.0.1:{port}/publish"
            async with session.post(url, data=data, headers=headers) as response:
                response.raise_for_status()
            await asyncio.sleep(0.1)
