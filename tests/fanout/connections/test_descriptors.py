"""Closed connections leave no open descriptor. Without a free one, new clients get overload."""

from __future__ import annotations

import asyncio
import resource
import sys
from itertools import count, islice
from pathlib import Path

import pytest

from services.fanout.open_files import SPARE
from tests.fanout.replicas import CONTRACT, SUBSCRIBE, Chain, StartReplica
from tests.support.processes import listening, spawn
from tests.support.sse_client import SseClient
from tests.support.waiting import until


async def test_without_a_free_descriptor_a_client_gets_overload_and_others_continue(
    launch: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    replica = await launch()
    clients.append(await replica.subscribe())
    pid = replica.process.pid
    await until(lambda: _idle(pid))
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    # one free descriptor: enough to accept, not to subscribe
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (_second_free(pid), hard))
    late = await SseClient.connect(replica.port, f"{SUBSCRIBE}?all=true")
    clients.append(late)
    await until(late.closed.is_set)
    assert [event.name for event in late.events] == ["overload"]
    assert "Too many open files" in late.events[0].json["reason"]
    (position,) = await chain.commit()
    await clients[0].wait_id(position)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    clients.append(await replica.subscribe())


def _idle(pid: int) -> bool:
    """Whether aiohttp has closed its copy of each socket, so that no socket is open twice."""
    try:
        links = [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()]
    except FileNotFoundError:  # one was closed meanwhile
        return False
    sockets = [link for link in links if link.startswith("socket:")]
    return len(sockets) == len(set(sockets))


def _second_free(pid: int) -> int:
    """The second lowest number that is no descriptor of the process."""
    used = {int(fd.name) for fd in Path(f"/proc/{pid}/fd").iterdir()}
    _, second = islice((number for number in count() if number not in used), 2)
    return second


async def test_five_hundred_closed_connections_leave_no_descriptor_and_no_entry(
    launch: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    replica = await launch()
    warm = [await replica.subscribe() for _ in range(5)]
    for client in warm:
        client.close()

    async def empty() -> bool:
        return await replica.metric("connections") == await replica.metric("subscriptions") == 0

    await until(empty)
    before = replica.process.descriptors  # ±2: /metrics itself uses a connection
    positions = await chain.commit_many(20)
    for _ in range(2):
        subscribers = await asyncio.gather(
            *(
                replica.subscribe(
                    f"streams={n % 9 + 1}&users=" if n % 2 else "all=true",
                    since=positions[n % 20] if n % 3 else "",
                )
                for n in range(250)
            )
        )
        await until(lambda: replica.process.descriptors <= before + 255)
        assert replica.process.descriptors >= before + 245, "one for each, aiohttp's is closed"
        positions += await chain.commit_many(3)
        for n, client in enumerate(subscribers):
            if n % 2 == 0:
                await client.wait_id(positions[-1])
            (client.close, client.reset, client.half_close)[n % 3]()
        await until(empty)
        for client in subscribers:
            client.close()
    await until(lambda: replica.process.descriptors <= before + 2)


@pytest.mark.io
@pytest.mark.parametrize(
    ("hard", "soft", "holds"), [(3000, 3000, [2000]), (9000, 5000 + SPARE, [])]
)
async def test_a_fanout_takes_the_descriptors_that_it_needs_and_says_what_is_missing(
    hard: int, soft: int, holds: list[int], redis_url: str
) -> None:
    command = f"ulimit -Sn 500; ulimit -Hn {hard}; exec {sys.executable} -m services.fanout"
    environment = {"REDIS_URL": redis_url, "CONTRACTS": CONTRACT, "MAX_CONNECTIONS": 5000}
    process = await spawn(["sh", "-c", command], Path.cwd(), environment)
    async with listening(process):
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (soft, hard)
        lines = process.log_lines("few_open_files")
        assert [line["connections"] for line in lines] == holds
