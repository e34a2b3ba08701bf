"""The leases of the partitions that this dispatcher has.

A dispatcher may deliver only while it is sure that nobody else has the partition. So it counts the
seconds from before it asked Redis to renew the lease, with the monotonic clock. A process that was
stopped (SIGSTOP) therefore begins no delivery when it goes on.

See docs/decisions/0128-webhooks-are-in-partitions.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from contextlib import suppress
from typing import Any, NamedTuple

from redis.asyncio import Redis

from services.webhooks.partitions.sharing import PARTITIONS
from shared.journal.keys import Keys
from shared.redis.client import RedisError
from shared.redis.lease import Lease


class HeldPartition:
    """One partition of this dispatcher.

    Each time it is taken, the lease has a new token. So a write that was asked for before the lease
    was lost is refused, also if this dispatcher has the partition again.
    """

    __slots__ = ("_until", "lease", "number")

    def __init__(self, number: int, lease: Lease) -> None:
        self.number = number
        self.lease = lease
        self._until = 0.0

    @property
    def token(self) -> str:
        """The token with which progress is stored."""
        return self.lease.token

    @property
    def is_valid(self) -> bool:
        """True while no other dispatcher can have the partition."""
        return time.monotonic() < self._until

    def extend(self, until: float) -> None:
        """The lease is valid until this time of the monotonic clock."""
        self._until = until

    def end(self) -> None:
        """Another dispatcher may have the partition now: nothing more is delivered."""
        self._until = 0.0


class Renewal(NamedTuple):
    """`lost`: the partitions whose lease this dispatcher no longer has.

    `resumed`: those that were not valid until the answer came. Their deliveries have stopped.
    """

    lost: list[HeldPartition]
    resumed: list[HeldPartition]


class PartitionLeases:
    """Takes, renews and releases leases. All methods raise redis-py's errors.

    `redis` sends the calls of one iteration of the event loop together (connect_multiplexed). So
    each method needs one round trip.
    """

    def __init__(self, redis: Redis, keys: Keys, *, seconds: float) -> None:
        self._redis = redis
        self._keys = [keys.webhook_partition(number) for number in range(PARTITIONS)]
        self._seconds = seconds
        self._asked: dict[int, Lease] = {}  # those of which no answer has come

    async def free(self) -> list[int]:
        """The partitions that nobody has, or that this dispatcher has taken without an answer."""
        holders: Any = await self._redis.mget(self._keys)
        return [number for number, holder in enumerate(holders) if self._is_free(number, holder)]

    def _is_free(self, number: int, holder: bytes | None) -> bool:
        asked = self._asked.get(number)
        return holder is None or (asked is not None and asked.token.encode() == holder)

    async def take(self, numbers: Collection[int]) -> list[HeldPartition]:
        """Try to take these partitions. Returns those that this dispatcher has now."""
        until = time.monotonic() + self._seconds
        partitions = [HeldPartition(number, self._new_lease(number)) for number in numbers]
        answers = await asyncio.gather(*(each.lease.take() for each in partitions))
        for number in numbers:
            del self._asked[number]
        taken = [each for each, answer in zip(partitions, answers, strict=True) if answer]
        for partition in taken:
            partition.extend(until)
        return taken

    def _new_lease(self, number: int) -> Lease:
        lease = Lease(self._redis, self._keys[number], seconds=self._seconds)
        return self._asked.setdefault(number, lease)

    async def renew(self, partitions: Collection[HeldPartition]) -> Renewal:
        """Renew the leases.

        A lease that still has our token was never another's, even if it was not renewed in time.
        """
        until = time.monotonic() + self._seconds
        answers = await asyncio.gather(*(each.lease.renew() for each in partitions))
        renewal = Renewal([], [])
        for partition, answer in zip(partitions, answers, strict=True):
            if not answer:
                partition.end()
                renewal.lost.append(partition)
                continue
            was_valid = partition.is_valid  # it may have ended while we waited for the answer
            partition.extend(until)
            if not was_valid:
                renewal.resumed.append(partition)
        return renewal

    async def release(self, partitions: Collection[HeldPartition]) -> None:
        """Give leases up. If Redis does not answer, they expire by themselves."""
        for partition in partitions:
            partition.end()
        with suppress(RedisError, OSError):
            await asyncio.gather(*(each.lease.release() for each in partitions))
