"""Leases: how many connections an account and an address hold, across all replicas.

A lease is a member of a sorted set in Redis, scored by when it expires. The replica that holds the
connection renews it; one that crashed does not, and its leases are gone after LEASE_SECONDS.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Sequence

import structlog
from redis.asyncio import Redis

from shared.journal.keys import Keys
from shared.redis.client import REDIS_UNAVAILABLE
from shared.redis.scripts import load_script
from shared.runtime.tasks import describe

log = structlog.get_logger()

_TAKE = load_script(__package__, "limits_take")
_RENEW = load_script(__package__, "limits_renew")
_AT_ONCE = 500

Lease = tuple[str, str | None, str | None]
"""Member, account and address that it counts for; None where no limit is set."""

NO_LEASE: Lease = ("", None, None)
"""That of all connections to which no limit applies."""


class ConnectionLimits:
    """The leases of one replica."""

    def __init__(
        self, redis: Redis, keys: Keys, *, per_user: int, per_ip: int, seconds: float
    ) -> None:
        self._keys = keys
        self._limits = {"user": per_user, "ip": per_ip}
        self._seconds = seconds
        self._replica = secrets.token_hex(4)
        self._number = 0
        self._held: set[Lease] = set()
        self._released: list[Lease] = []
        self._redis = redis
        self._take = redis.register_script(_TAKE)
        self._renew = redis.register_script(_RENEW)

    def __len__(self) -> int:
        return len(self._held)

    async def take(self, account: str, address: str) -> Lease | str:
        """A lease, or which limit is reached: "user" or "ip". Raises what Redis raises."""
        user = account if account and self._limits["user"] else None
        ip = address if self._limits["ip"] else None
        if user is None and ip is None:
            return NO_LEASE
        self._number += 1
        lease: Lease = (f"{self._replica}:{self._number}", user, ip)
        counted = list(_counted(lease))
        try:
            reached = await self._take(
                keys=[self._keys.connections(kind, name) for kind, name in counted],
                args=[self._milliseconds, lease[0], *(self._limits[kind] for kind, _ in counted)],
            )
        except BaseException:  # the client hung up, or Redis did: it may have counted all the same
            self._released.append(lease)
            raise
        if reached:
            return counted[int(reached) - 1][0]
        self._held.add(lease)
        return lease

    def release(self, lease: Lease) -> None:
        """Give back, soon: `run` tells Redis."""
        if lease in self._held:
            self._held.discard(lease)
            self._released.append(lease)

    async def run(self) -> None:
        """Tell Redis what was released at once, and renew the rest three times in its span."""
        loop = asyncio.get_running_loop()
        renew_at = loop.time() + self._seconds / 3
        while True:
            await asyncio.sleep(0.25)
            if self._released:
                await self.flush()
            if loop.time() >= renew_at:
                renew_at = loop.time() + self._seconds / 3
                await self._renew_all(list(self._held))

    async def flush(self) -> None:
        """Tell Redis what was released; what it does not hear expires by itself."""
        released, self._released = self._released, []
        for some in _portions(released):
            pipe = self._redis.pipeline(transaction=False)
            for lease in some:
                for kind, name in _counted(lease):
                    pipe.zrem(self._keys.connections(kind, name), lease[0])
            try:
                await pipe.execute()
            except (
                REDIS_UNAVAILABLE
            ) as error:  # the other portions would wait for it in vain as long
                log.warning("leases_not_released", count=len(released), error=describe(error))
                return

    async def _renew_all(self, held: Sequence[Lease]) -> None:
        for some in _portions(held):
            pairs = [(kind, name, lease[0]) for lease in some for kind, name in _counted(lease)]
            await self._renew(
                keys=[self._keys.connections(kind, name) for kind, name, _ in pairs],
                args=[self._milliseconds, *(member for _, _, member in pairs)],
            )
            for lease in set(some) - self._held:  # it left while it was being renewed
                self._released.append(lease)

    @property
    def _milliseconds(self) -> int:
        return round(self._seconds * 1000)


def _counted(lease: Lease) -> Iterable[tuple[str, str]]:
    _, account, address = lease
    if account is not None:
        yield "user", account
    if address is not None:
        yield "ip", address


def _portions(limits: Sequence[Lease]) -> Iterable[Sequence[Lease]]:
    return (limits[at : at + _AT_ONCE] for at in range(0, len(limits), _AT_ONCE))
