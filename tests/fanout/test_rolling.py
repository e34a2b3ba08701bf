"""Two replicas restart in turn under load. Each client resumes and gets every event once."""

from __future__ import annotations

import asyncio
import random
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.fanout.replicas import SUBSCRIBE, Chain, Replica, StartReplica
from tests.support.processes import ServiceProcess
from tests.support.sse_client import SseClient
from tests.support.waiting import until


class RoamingClient:
    """A client that reconnects to any replica until it has received the last event."""

    def __init__(self, replicas: list[Replica], chance: random.Random) -> None:
        self._replicas, self._chance = replicas, chance
        self.last_id = "0-0"
        self.seen: list[str] = []
        self.connections = 0

    async def run(self, last: asyncio.Future[str]) -> None:
        while not (last.done() and last.result() in self.seen):
            with suppress(OSError):  # the replica has just stopped listening
                await self._visit(last)

    async def _visit(self, last: asyncio.Future[str]) -> None:
        port = self._chance.choice(self._replicas).port
        headers = {"Last-Event-ID": self.last_id}
        client = await SseClient.connect(port, f"{SUBSCRIBE}?all=true", headers=headers)
        self.connections += 1

        def over() -> bool:
            return client.closed.is_set() or (last.done() and last.result() in client.positions)

        try:
            await until(over, seconds=60)
        finally:
            client.close()
        self.seen += client.positions
        self.last_id = client.last_id or self.last_id


@pytest.mark.timeout(120)  # six processes start, each when the one before is ready
async def test_a_rolling_restart_under_load_loses_no_event(
    launch: StartReplica, chain: Chain
) -> None:
    chance = random.Random(7)
    positions = await chain.commit_many(3)
    replicas = [await launch(drain_seconds=0.5), await launch(drain_seconds=0.5)]
    last: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    roaming = [RoamingClient(replicas, chance) for _ in range(30)]
    tasks = [asyncio.create_task(w.run(last)) for w in roaming]
    await until(lambda: all(w.connections for w in roaming))

    restarts = asyncio.create_task(_restart_in_turn(replicas, launch, rounds=2))
    while not restarts.done():
        positions += await chain.commit()
    await restarts
    last.set_result((await chain.commit())[0])
    positions.append(last.result())

    await asyncio.gather(*tasks)
    for client in roaming:
        assert client.seen == positions
    assert sum(w.connections for w in roaming) > 2 * len(roaming), (
        "clients reconnected more than once on average"
    )


async def _restart_in_turn(replicas: list[Replica], launch: StartReplica, *, rounds: int) -> None:
    for turn in range(rounds * len(replicas)):
        place = turn % len(replicas)
        fresh = await launch(drain_seconds=0.5)
        old, replicas[place] = replicas[place], fresh
        old.process.signal(signal.SIGTERM)
        assert await old.process.ended() == 0


async def test_keepalive_is_set_on_connections(
    launch: StartReplica, clients: list[SseClient]
) -> None:
    replica = await launch()
    clients.append(await replica.subscribe())
    here = f":{replica.port:04X} "

    def timers() -> list[str]:
        lines = Path("/proc/net/tcp").read_text().splitlines()
        return [line.split()[5] for line in lines if here in line[:20] and " 01 " in line]

    # A connection without traffic has only the keep-alive timer (02), which fires within 20 s.
    (timer,) = await until(lambda: [t for t in timers() if t.startswith("02:")])
    assert int(timer[3:], 16) <= 20 * 100


async def test_a_fanout_is_ready_as_soon_as_its_feed_has_started(launch: StartReplica) -> None:
    """The feed is checked again when it has started, not some time later."""
    for _ in range(3):  # on a busy machine, a start can take longer than this check waits
        process = (await launch()).process
        await until(lambda process=process: _about_feed(process, "part_well"))
        assert process.log_lines("feed_started")
        unwell = _about_feed(process, "part_unwell")
        if not unwell:
            break
    assert unwell == []


def _about_feed(process: ServiceProcess, event: str) -> list[dict[str, Any]]:
    return [line for line in process.log_lines(event) if line["part"] == "feed"]
