"""One story that all the libraries live through side by side, act by act.

Each act does one thing to every client's connection and commits events meanwhile. Side by side,
because waiting is most of it: a client that has been turned away comes back after seconds.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

from tests.clients.front import CUTS
from tests.clients.stage import Client, Part, Stage, stage
from tests.fanout.rig import Replica, api_commit
from tests.support.sse_client import SseClient
from tests.support.waiting import free_port, until

Parts = dict[str, dict[str, Part]]


async def tell(redis_url: str, libraries: list[str]) -> Parts:
    """The whole story; returns each client's part in each act."""
    async with stage(redis_url) as on:
        port = free_port()
        first = await on.replica(port=port)
        await on.chain.commit()
        await asyncio.gather(*(on.admit(library, port) for library in libraries))
        await connected_and_live(on)
        await cut(on)
        for where, cutting in CUTS.items():
            await ended_in_frame(on, where, cutting)
        await quiet(on)
        second = await killed_and_drained(on, first, port)
        await overloaded(on, second)
        return {client.library: client.parts for client in on.clients}


async def connected_and_live(on: Stage) -> None:
    top: Any = await on.redis.xrevrange(on.keys.journal, count=1)

    async def connect() -> list[str]:
        return [top[0][0].decode()]

    await on.act("connected", connect)

    async def live() -> list[str]:
        return [p for _ in range(5) for p in await on.commit()]

    await on.act("live", live)


async def cut(on: Stage) -> None:
    async def deed() -> list[str]:
        before = await on.commit()
        on.cut()
        return before + await on.commit()

    await on.act("cut", deed)


async def ended_in_frame(on: Stage, where: str, cutting: Callable[[bytes], int]) -> None:
    async def deed() -> list[str]:
        for client in on.clients:
            client.front.end_in_frame(cutting)
        return await on.commit() + await on.commit()

    await on.act(where, deed)


async def quiet(on: Stage) -> None:
    async def moved() -> list[str]:
        return [await api_commit(on.chain.committer)]

    def synced(client: Client, positions: list[str]) -> bool:
        return any(e.name == "sync" and e.id == positions[-1] for e in client.driver.events)

    await on.act("quiet", moved, synced)
    top = on.clients[0].parts["quiet"].committed

    async def deed() -> list[str]:
        on.cut()
        return top

    await on.act("cut while quiet", deed, lambda client, _: client.reconnected())


async def killed_and_drained(on: Stage, first: Replica, port: int) -> Replica:
    async def killed() -> list[str]:
        before = await on.commit()
        assert first.process
        first.process.signal(signal.SIGKILL)
        await first.process.ended()
        on.shut()  # refused, as they would be by the machine itself
        away = await on.commit()
        replicas.append(await on.replica(port=port))
        await on.open(port)
        return before + away + await on.commit()

    async def drained() -> list[str]:
        old, new = replicas[-1], await on.replica(max_connections=len(on.clients) + 2)
        replicas.append(new)
        await on.open(new.port)
        assert old.process
        old.process.signal(signal.SIGTERM)
        committed = await on.commit()
        assert await old.process.ended() == 0
        return committed + await on.commit()

    replicas: list[Replica] = []
    await on.act("killed", killed)
    await on.act("drained", drained)
    return replicas[-1]


async def overloaded(on: Stage, replica: Replica) -> None:
    async def deed() -> list[str]:
        before = await on.commit()
        on.shut()
        places = len(on.clients) + 2
        fillers: list[SseClient] = []

        async def full() -> bool:
            while await replica.metric("connections") < places:
                fillers.append(await replica.subscribe())
                if fillers[-1].named("overload"):
                    fillers.pop().close()
                    return False
            return True

        await until(full, what="a full replica")
        await on.open(replica.port)
        seen = {client: len(client.driver.events) for client in on.clients}

        def turned_away() -> bool:
            return all(
                any(e.name == "overload" for e in c.driver.events[seen[c] :]) or c.driver.ended
                for c in on.clients
            )

        try:
            await until(turned_away, seconds=60, what="overload for each")
        finally:
            for filler in fillers:
                filler.close()
        return before + await on.commit()

    await on.act("overloaded", deed)
