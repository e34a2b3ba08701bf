"""Replicas kept from their primary: what it takes then, nobody else has."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from redis.exceptions import RedisError

from tests.support.redis_node import Node

_NOBODY = ("masteruser", "nobody", "masterauth", "wrong")
_AS_BEFORE = ("masteruser", "", "masterauth", "")


async def cut_off(primary: Node, replicas: Iterable[Node]) -> None:
    """From now on they get nothing: they try again each second and are refused."""
    for node in replicas:
        await node.ask("CONFIG", "SET", *_NOBODY)
    await primary.ask("CLIENT", "KILL", "TYPE", "replica")


async def let_in(replicas: Iterable[Node]) -> None:
    """End what `cut_off` began, with whoever still lives."""
    for node in replicas:
        with suppress(RedisError, OSError):
            await node.ask("CONFIG", "SET", *_AS_BEFORE)
