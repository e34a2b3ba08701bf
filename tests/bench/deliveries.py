"""The CPU cost of a delivery, compared with a C program and with peers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from functools import partial
from importlib.util import find_spec
from typing import NamedTuple

from tests.bench import processes
from tests.bench.environment import ALL, BenchEnvironment
from tests.bench.floor import floor
from tests.bench.peers import nchan
from tests.bench.processes import Server
from tests.bench.publish import Publisher, at_rate
from tests.bench.rows import Row, ratio, row
from tests.bench.swarm import Swarm, check
from tests.support.waiting import free_port

_CLIENTS = 5000
_RATE = 10
_SECONDS = 5
_EVENTS = _RATE * _SECONDS
_FLOOR = "c"
_PEERS = {
    "queue": ("aiohttp with a queue a client", "queue_per_client", "aiohttp"),
    "aiohttp-sse": ("aiohttp-sse", "aiohttp_sse_server", "aiohttp_sse"),
    "sse-starlette": ("sse-starlette in uvicorn", "sse_starlette_server", "sse_starlette"),
}
"""The name, our program that uses it, and the package that it needs."""


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
    paths = [ALL + query] * _CLIENTS
    with closing(Swarm(server.port, paths, headers=headers, expected=_EVENTS)) as swarm:
        await swarm.connected()
        cpu = server.cpu()
        await publisher.run(_RATE, _SECONDS)
        result = await swarm.finished()
        used = server.cpu() - cpu
    check(result, _EVENTS)
    delivered = _EVENTS * _CLIENTS
    return Delivery(used * 1e6 / delivered, sum(result["bytes"]) / delivered)


async def deliveries(env: BenchEnvironment) -> list[Row]:
    """The fanout, the C program and the peers run in turn."""
    publisher = env.publisher(10)
    await publisher.prepare()
    fanout = partial(processes.fanout, env.redis_url, env.keys, env.folder)
    ours: list[float] = []
    others: dict[str, list[float]] = {name: [] for name in (_FLOOR, "nchan", *_PEERS)}
    for _ in range(env.runs):
        with fanout() as server:
            delivery = await measure_delivery(server, publisher)
        ours.append(delivery.us)
        others[_FLOOR].append(await _floor(round(delivery.size)))
        if nchan.INSTALLED:
            others["nchan"].append(await _nchan(env, round(delivery.size)))
        for name, (_, program, package) in _PEERS.items():
            if find_spec(package):
                others[name].append(await _us(partial(_peer, env, program), publisher))
    await publisher.close()
    return [
        row("us", "CPU a delivery, 5,000 × `*`, 10 events/s", "µs", ours),
        *_against(_FLOOR, "a C program that only sends", ours, others[_FLOOR], 1.12),
        *_against("nchan", "Nchan", ours, others["nchan"]),
        *(
            each
            for name, (what, *_) in _PEERS.items()
            for each in _against(name, what, ours, others[name])
        ),
    ]


def _against(
    name: str, what: str, ours: list[float], theirs: list[float], goal: float | None = None
) -> list[Row]:
    return [
        row(f"{name}-us", f"… {what}", "µs", theirs),
        ratio(name, f"… against {what}", ours, theirs, goal),
    ]


async def _us(start: Callable[[], AbstractContextManager[Server]], publisher: Publisher) -> float:
    with start() as server:
        return (await measure_delivery(server, publisher)).us


def _peer(env: BenchEnvironment, program: str) -> AbstractContextManager[Server]:
    port = free_port()
    words = [sys.executable, "-m", f"tests.bench.peers.{program}", str(port), env.redis_url]
    return processes.command(*words, port=port)


async def _floor(size: int) -> float:
    return (await floor(size, clients=_CLIENTS, rate=_RATE, share=_CLIENTS, seconds=_SECONDS)).us


async def _nchan(env: BenchEnvironment, size: int) -> float:
    path = nchan.path("all")
    with (
        nchan.nchan(env) as worker,
        closing(
            Swarm(worker.port, [path] * _CLIENTS, expected=_EVENTS, greeting=nchan.GREETING)
        ) as swarm,
    ):
        await swarm.connected()
        async with nchan.publisher(worker) as publisher:
            cpu = worker.cpu()
            await at_rate(_RATE, _SECONDS, lambda: publisher.publish(["all"], size))
            check(await swarm.finished(), _EVENTS)
            used = worker.cpu() - cpu
    return used * 1e6 / (_EVENTS * _CLIENTS)
