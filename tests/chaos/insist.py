"""Calls of the test itself, for which Redis may be away for a while."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from redis.exceptions import RedisError

from tests.support.pace import last

T = TypeVar("T")


async def insist(act: Callable[[], Awaitable[T]]) -> T:
    """Try until Redis answers: it may be stopped by a fault, or fail over on a busy machine.

    An IndexError means that no Sentinel or node has named the primary in time.
    """
    while True:
        with suppress(RedisError, OSError, IndexError):
            return await act()
        await last(0.2)
