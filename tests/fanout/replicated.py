"""What a fanout says about the replica of Redis that it reads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.fanout.replicas import Replica
from tests.support.redis_node import Node
from tests.support.waiting import until

StartOn = Callable[..., Awaitable[Replica]]
"""Starts a fanout that reads from the given servers."""


def chosen(replica: Replica) -> int:
    """The port of the server that the feed reads."""
    choice = replica.components.feed.server._choice
    return choice.current[1] if choice and choice.current else 0


async def unready(replica: Replica, text: str) -> None:
    """Wait until /readyz is 503 and says this."""

    async def says() -> bool:
        status, answer = await replica.get("/readyz")
        return status == 503 and text in answer

    await until(says, what=text)


async def listeners(node: Node) -> int:
    """How many subscribe to the channel at this server."""
    return int((await node.ask("PUBSUB", "NUMSUB", "stream-events"))[1])
