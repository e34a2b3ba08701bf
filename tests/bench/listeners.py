"""Measures what a listener of the channel costs a real Redis: CPU time of the server per message.

On a primary, and on a replica that gets each message through replication. Messages are sent one by
one, as single commits are, or many at once, as the events of a ledger are. The cost of one listener
is the difference between few and many listeners.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from tests.support.redis_node import Node
from tests.support.waiting import until

MESSAGE_BYTES = 1300
FEW, MANY = 10, 210
"""Numbers of listeners. Each is a connection of its own that reads all the time."""
_MESSAGES = 2_000
_TOGETHER = 100
_ROUNDS = 3


class ListenerCost(NamedTuple):
    """CPU seconds of the server for one message to one listener, and for the message itself."""

    listener: float
    message: float


async def measure(folder: Path) -> dict[str, ListenerCost]:
    """The costs by the kind of server and the way of sending. Each is the median of some rounds."""
    primary = Node(folder / "primary", {"save": '""'})
    replica = Node(folder / "replica", {"save": '""'}, f"replicaof 127.0.0.1 {primary.port}")
    try:
        await primary.start()
        await replica.start()
        await until(lambda: _follows(replica), what="the replica")
        return {
            f"{name}, {how}": await _cost(primary, server, together)
            for name, server in (("primary", primary), ("replica", replica))
            for how, together in (("one by one", 1), ("many at once", _TOGETHER))
        }
    finally:
        await replica.stop()
        await primary.stop()


async def _follows(replica: Node) -> bool:
    return (await replica.read_info("INFO", "replication")).get("master_link_status") == "up"


async def _cost(primary: Node, server: Node, together: int) -> ListenerCost:
    rounds = [
        [await _cpu_a_message(primary, server, count, together) for count in (FEW, MANY)]
        for _ in range(_ROUNDS)
    ]
    few, many = (statistics.median(each) for each in zip(*rounds, strict=True))
    listener = (many - few) / (MANY - FEW)
    return ListenerCost(listener, max(0.0, few - FEW * listener))


async def _cpu_a_message(primary: Node, server: Node, listeners: int, together: int) -> float:
    """CPU seconds of `server` for one message that is published at `primary`."""
    async with _listening(server, listeners) as received, primary.client() as redis:
        before = await _cpu(server)
        for _ in range(_MESSAGES // together):
            pipe = redis.pipeline(transaction=False)
            for _ in range(together):
                pipe.publish("channel", b"x" * MESSAGE_BYTES)
            await pipe.execute()
        whole = listeners * _MESSAGES * MESSAGE_BYTES
        await until(lambda: received[0] >= whole, what="the arrival of all messages")
        return (await _cpu(server) - before) / _MESSAGES


@asynccontextmanager
async def _listening(server: Node, count: int) -> AsyncIterator[list[int]]:
    """Connections that listen. Yields a list with the number of received bytes."""
    received = [0]
    streams = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(count)]
    for _, writer in streams:
        writer.write(b"SUBSCRIBE channel\r\n")
    readers = [asyncio.create_task(_read(reader, received)) for reader, _ in streams]

    async def all_listen() -> bool:
        return int((await server.ask("PUBSUB", "NUMSUB", "channel"))[1]) == count

    await until(all_listen)
    yield received
    for _, writer in streams:
        writer.close()
    await asyncio.gather(*readers)


async def _read(reader: asyncio.StreamReader, received: list[int]) -> None:
    while data := await reader.read(1 << 20):
        received[0] += len(data)


async def _cpu(server: Node) -> float:
    info = await server.read_info("INFO", "cpu")
    return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])
