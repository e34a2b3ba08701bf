"""The complete content of a Redis, in a comparable form."""

from __future__ import annotations

import time
from typing import Any

from redis.asyncio import Redis

Content = dict[bytes, tuple[Any, ...]]


async def content(redis: Redis, match: str = "*") -> Content:
    """Each key that matches, with its type, its expiry in Unix ms (-1: never), and its value."""
    found: Content = {}
    async for key in redis.scan_iter(match, count=1000):
        name: Any = await redis.type(key)
        kind = name.decode()
        ends = await redis.pexpiretime(key)
        value = await _value(redis, kind, key)
        if ends != -2:  # it has not expired in the meantime
            found[key] = (kind, ends, value)
    return found


async def _value(redis: Redis, kind: str, key: bytes) -> Any:
    match kind:
        case "string":
            return await redis.get(key)
        case "list":
            return await redis.lrange(key, 0, -1)
        case "hash":
            return await redis.hgetall(key)
        case "zset":
            return await redis.zrange(key, 0, -1, withscores=True)
        case "stream":
            info = await redis.execute_command("XINFO", "STREAM", key)
            fields = ("last-generated-id", "entries-added", "max-deleted-entry-id")
            return [info[name.encode()] for name in fields], await redis.xrange(key)
        case "none":
            return None
    raise AssertionError(f"Headrace keeps no {kind}: {key!r}")


def lasting(before: Content) -> Content:
    """The entries that have not expired yet, to compare with a content read just now."""
    now = time.time() * 1000
    return {key: entry for key, entry in before.items() if entry[1] == -1 or entry[1] > now}
