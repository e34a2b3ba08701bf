"""One scenario, step by step, for all client libraries at the same time.

Each step does something to the connections of all clients and commits events meanwhile. The
libraries run at the same time because most of the duration is waiting before reconnects.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

from tests.clients.cutting_proxy import CUTS
from tests.clients.setup import Client, Setup, StepResult, scenario_setup
from tests.fanout.replicas import Replica, api_commit
from tests.support.sse_client import SseClient
from tests.support.waiting import free_port, until

Results = dict[str, dict[str, StepResult]]


async def run_scenario(redis_url: str, libraries: list[str]) -> Results:
    """Run all steps. Return the result of each client for each step."""
    async with scenario_setup(redis_url) as setup:
        port = free_port()
        first = await setup.replica(port=port)
        await setup.chain.commit()
        await connected_and_live(setup, libraries, port)
        await cut(setup)
        for where, cut_point in CUTS.items():
            await cut_inside_events(setup, where, cut_point)
        await quiet(setup)
        second = await killed_and_drained(setup, first, port)
        await overloaded(setup, second)
        return {client.library: client.results for client in setup.clients}


async def connected_and_live(setup: Setup, libraries: list[str], port: int) -> None:
    top: Any = await setup.redis.xrevrange(setup.keys.journal, count=1)

    async def connect() -> list[str]:
        await asyncio.gather(*(setup.start_library(library, port) for library in libraries))
        return [top[0][0].decode()]

    await setup.run_step("connected", connect, lambda client, _: client.connected())

    async def live() -> list[str]:
        return [p for _ in range(5) for p in await setup.commit()]

    await setup.run_step("live", live)


async def cut(setup: Setup) -> None:
    async def action() -> list[str]:
        before = await setup.commit()
        setup.cut()
        return before + await setup.commit()

    await setup.run_step("cut", action)


async def cut_inside_events(setup: Setup, where: str, cut_point: Callable[[bytes], int]) -> None:
    async def action() -> list[str]:
        for client in setup.clients:
            client.proxy.cut_inside_event(cut_point)
        return await setup.commit() + await setup.commit()

    await setup.run_step(where, action)


async def quiet(setup: Setup) -> None:
    async def moved() -> list[str]:
        return [await api_commit(setup.chain.committer)]

    def synced(client: Client, positions: list[str]) -> bool:
        return any(e.name == "sync" and e.id == positions[-1] for e in client.driver.events)

    await setup.run_step("quiet", moved, synced)
    top = setup.clients[0].results["quiet"].committed

    async def action() -> list[str]:
        setup.cut()
        return top

    await setup.run_step("cut while quiet", action, lambda client, _: client.connected())


async def killed_and_drained(setup: Setup, first: Replica, port: int) -> Replica:
    async def killed() -> list[str]:
        before = await setup.commit()
        assert first.process
        first.process.signal(signal.SIGKILL)
        await first.process.ended()
        setup.refuse()  # as the kernel refuses connections when no process listens
        away = await setup.commit()
        replicas.append(await setup.replica(port=port))
        await setup.open(port)
        return before + away + await setup.commit()

    async def drained() -> list[str]:
        old, new = replicas[-1], await setup.replica(max_connections=len(setup.clients) + 2)
        replicas.append(new)
        await setup.open(new.port)
        assert old.process
        old.process.signal(signal.SIGTERM)
        committed = await setup.commit()
        assert await old.process.ended() == 0
        return committed + await setup.commit()

    replicas: list[Replica] = []
    await setup.run_step("killed", killed)
    await setup.run_step("drained", drained)
    return replicas[-1]


async def overloaded(setup: Setup, replica: Replica) -> None:
    async def action() -> list[str]:
        before = await setup.commit()
        setup.refuse()
        limit = len(setup.clients) + 2
        fillers: list[SseClient] = []

        async def full() -> bool:
            while len(fillers) < limit:  # not one of the cut connections is left then
                fillers.append(await replica.subscribe())
                if fillers[-1].named("overload"):
                    fillers.pop().close()
                    return False
            return await replica.metric("connections") == limit

        await until(full, what="a full replica")
        await setup.open(replica.port)
        seen = {client: len(client.driver.events) for client in setup.clients}

        def all_rejected() -> bool:
            return all(
                any(e.name == "overload" for e in c.driver.events[seen[c] :]) or c.driver.ended
                for c in setup.clients
            )

        try:
            await until(all_rejected, seconds=60, what="overload for each")
        finally:
            for filler in fillers:
                filler.close()
        return before + await setup.commit()

    await setup.run_step("overloaded", action)
