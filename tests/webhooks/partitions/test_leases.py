"""Leases of partitions, with a real Redis."""

from __future__ import annotations

from redis.asyncio import Redis

from services.webhooks.partitions.leases import PartitionLeases
from shared.journal.keys import Keys


async def test_each_lease_has_a_token_of_its_own(redis: Redis, keys: Keys) -> None:
    """So what was asked for with a lease that was lost is refused after it was taken again."""
    leases = PartitionLeases(redis, keys, seconds=60)
    (first,) = await leases.take([7])
    assert await redis.get(keys.webhook_partition(7)) == first.token.encode()
    assert await leases.take([7]) == []
    await redis.delete(keys.webhook_partition(7))
    (second,) = await leases.take([7])
    assert second.token != first.token
    assert (await leases.renew([first])).lost == [first]
    assert (await leases.renew([second])).lost == []
    await leases.release([first])
    assert await leases.free() == [number for number in range(64) if number != 7]
