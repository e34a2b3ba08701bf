"""Cuts replicas off from their primary, so that only the primary has the later writes."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from redis.exceptions import RedisError

from tests.support.redis_node import Node

_NOBODY = ("masteruser", "nobody", "masterauth", "wrong")
_AS_BEFORE = ("masteruser", "", "masterauth", "")


async def cut_off(primary: Node, replicas: Iterable[Node]) -> None:
    """Stop replication. The replicas reconnect each second and are rejected."""
    for node in replicas:
        await node.ask("CONFIG", "SET", *_NOBODY)
    await primary.ask("CLIENT", "KILL", "TYPE", "replica")


async def let_in(replicas: Iterable[Node]) -> None:
    """Undo `cut_off` on the servers that still run.

    A Sentinel makes a server write its settings to its file. They are undone there too, or the
    server could not follow the primary after its next restart.
    """
    for node in replicas:
        with suppress(RedisError, OSError):
            await node.ask("CONFIG", "SET", *_AS_BEFORE)
            await node.ask("CONFIG", "REWRITE")
