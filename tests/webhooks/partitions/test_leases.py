"""Leases of partitions, with a real Redis."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError

from services.webhooks.partitions.leases import PartitionLeases
from shared.journal.keys import Keys
from shared.redis.lease import Lease


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


async def test_a_lease_that_was_taken_without_an_answer_is_no_ones_else(
    redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nobody could deliver until it expires."""
    take, fails = Lease.take, True

    async def taken(lease: Lease) -> bool:
        answer = await take(lease)
        if fails:
            raise RedisTimeoutError("no answer in time")
        return answer

    monkeypatch.setattr(Lease, "take", taken)
    leases = PartitionLeases(redis, keys, seconds=60)
    with pytest.raises(RedisTimeoutError):
        await leases.take([7])
    assert await redis.exists(keys.webhook_partition(7))
    fails = False
    assert 7 in await leases.free()
    assert 7 not in await PartitionLeases(redis, keys, seconds=60).free()
    assert [each.number for each in await leases.take([7])] == [7]
    assert 7 not in await leases.free()
