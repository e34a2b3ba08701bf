"""Each counted connection holds a lease in Redis: it ends with the connection or its replica."""

from __future__ import annotations

import signal
from typing import Any

from redis.asyncio import Redis

from shared.journal.keys import Keys
from tests.fanout.replicas import BOB, StartReplica
from tests.fanout.tokens import REQUIRED, ask_first_event, bearer, count_connected, status, token
from tests.support.sse_client import SseClient
from tests.support.waiting import until


async def test_a_closed_connection_frees_its_lease_soon(
    start: StartReplica, redis: Redis, keys: Keys
) -> None:
    replica = await start(**REQUIRED, connections_per_user=1, connections_per_ip=2)
    header = bearer(token(BOB))
    for _ in range(3):
        client = await replica.subscribe(f"users={BOB}", headers=header)
        assert await status(replica, f"users={BOB}", headers=header) == 0
        client.close()

        async def free() -> bool:
            return (
                await redis.zcard(keys.connections("user", BOB)) == 0
                and await redis.zcard(keys.connections("ip", "127.0.0.1")) == 0
            )

        await until(free)
    assert len(replica.components.limits) == 0


async def test_connections_of_a_crashed_replica_stop_counting_after_the_lease(
    launch: StartReplica,
    start: StartReplica,
    clients: list[SseClient],
    redis: Redis,
    keys: Keys,
) -> None:
    limits = {"connections_per_ip": 3, "connection_lease_seconds": 4}  # renewed after a third
    crashing, other = await launch(**limits), await start(**limits)
    clients += [await crashing.subscribe() for _ in range(2)]
    counted = keys.connections("ip", "127.0.0.1")
    first: dict[Any, Any] = dict(await redis.zrange(counted, 0, -1, withscores=True))  # type: ignore[arg-type]
    clients.append(await other.subscribe())  # keeps the Redis key alive

    async def ends() -> list[float]:
        """When the leases of the replica that will crash end, in milliseconds."""
        return [score or 0 for score in await redis.zmscore(counted, list(first))]

    async def renewed() -> bool:
        """Twice a lease later, so they must have been renewed."""
        return min(await ends()) > max(first.values()) + 8_000

    await until(renewed)
    assert await status(other, "all=true") == 0
    crashing.process.signal(signal.SIGKILL)
    end = min(await ends())

    async def has_room() -> bool:
        return await status(other, "all=true") == 200

    await until(has_room)
    seconds, micros = await redis.time()
    assert seconds * 1000 + micros / 1000 >= end, "its leases counted until they ended"

    async def filled() -> bool:
        clients.append(await ask_first_event(other, "all=true"))
        return count_connected(clients[3:]) == 2

    await until(filled)
    assert await status(other, "all=true") == 0


async def test_a_replica_that_stops_frees_its_connections_at_once(
    launch: StartReplica, clients: list[SseClient], redis: Redis, keys: Keys
) -> None:
    replica = await launch(connections_per_ip=3, connection_lease_seconds=600)
    clients += [await replica.subscribe() for _ in range(3)]
    assert await redis.zcard(keys.connections("ip", "127.0.0.1")) == 3
    replica.process.signal(signal.SIGTERM)
    assert await replica.process.ended() == 0
    assert await redis.zcard(keys.connections("ip", "127.0.0.1")) == 0
