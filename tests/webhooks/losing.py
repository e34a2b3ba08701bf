"""What a failover of Redis loses, done by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from shared.domain.position import parse_position
from shared.webhooks.endpoint import Endpoint
from shared.webhooks.progress import encode_progress
from tests.webhooks.world import World


async def lose_events(world: World, ids: Sequence[str]) -> None:
    """Remove the newest events from the journal. `ids` are all of them."""
    redis, keys = world.redis, world.keys
    rows: Any = await redis.xrange(keys.journal)
    names = [name for name, _ in rows]
    assert [str(parse_position(each.decode())) for each in names[-len(ids) :]] == [*ids]
    await redis.xdel(keys.journal, *names[-len(ids) :])
    await redis.execute_command("XSETID", keys.journal, names[-len(ids) - 1])
    async for topic in redis.scan_iter(keys.topic("*"), count=1000):
        await redis.zrem(topic, *(parse_position(each).padded for each in ids))


async def lose_progress(world: World, endpoint: Endpoint, to: str) -> None:
    """Move the stored progress of an endpoint back, as if it had not been written since then."""
    progress = await world.progress(endpoint)
    assert progress is not None
    earlier = replace(progress, position=parse_position(to), writes=1)
    await world.redis.hset(
        world.keys.webhook_progress, endpoint.id, encode_progress(earlier).decode()
    )
