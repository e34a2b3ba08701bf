"""Limits how many connections an account and an address hold, across all replicas.

Each connection has a lease: a member of a sorted set in Redis, with its time of expiry as score.
The replica that holds the connection renews the lease. The leases of a crashed replica expire after
CONNECTION_LEASE_SECONDS.
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
_PORTION = 500
"""Leases in one call of Redis."""

ConnectionLease = tuple[str, str | None, str | None]
"""Member of the sorted sets, account, and address. Account or address is None if not limited."""

NO_LEASE: ConnectionLease = ("", None, None)
"""The lease of every connection without a limit."""


class ConnectionLimits:
    """The leases of this replica. A limit of 0 is no limit. `seconds`: lifetime of a lease."""

    def __init__(
        self, redis: Redis, keys: Keys, *, per_user: int, per_ip: int, seconds: float
    ) -> None:
        self._keys = keys
        self._limits = {"user": per_user, "ip": per_ip}
        self._seconds = seconds
        self._replica = secrets.token_hex(4)
        self._number = 0
        self._held: set[ConnectionLease] = set()
        self._released: list[ConnectionLease] = []
        self._redis = redis
        self._take = redis.register_script(_TAKE)
        self._renew = redis.register_script(_RENEW)

    def __len__(self) -> int:
        return len(self._held)

    async def take(self, account: str, address: str) -> ConnectionLease | str:
        """Take a lease. Returns it, or the limit that is reached: "user" or "ip".

        Raises the errors of Redis.
        """
        user = account if account and self._limits["user"] else None
        ip = address if self._limits["ip"] else None
        if user is None and ip is None:
            return NO_LEASE
        self._number += 1
        lease: ConnectionLease = (f"{self._replica}:{self._number}", user, ip)
        counted = list(_sets_of(lease))
        try:
            reached = await self._take(
                keys=[self._keys.connections(kind, name) for kind, name in counted],
                args=[self._milliseconds, lease[0], *(self._limits[kind] for kind, _ in counted)],
            )
        except BaseException:
            # The client or Redis disconnected. Redis may have counted the lease, so give it back.
            self._released.append(lease)
            raise
        if reached:
            return counted[int(reached) - 1][0]
        self._held.add(lease)
        return lease

    def release(self, lease: ConnectionLease) -> None:
        """Give a lease back. Soon afterwards `run` removes it from Redis."""
        if lease in self._held:
            self._held.discard(lease)
            self._released.append(lease)

    async def run(self) -> None:
        """Remove released leases every 0.25 s, and renew the others after a third of `seconds`."""
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
        """Remove released leases from Redis. If this fails, they expire by themselves."""
        released, self._released = self._released, []
        for portion in _portions(released):
            pipe = self._redis.pipeline(transaction=False)
            for lease in portion:
                for kind, name in _sets_of(lease):
                    pipe.zrem(self._keys.connections(kind, name), lease[0])
            try:
                await pipe.execute()
            except REDIS_UNAVAILABLE as error:
                # Stop here: each of the other portions would wait for Redis just as long.
                log.warning("leases_not_released", count=len(released), error=describe(error))
                return

    async def _renew_all(self, held: Sequence[ConnectionLease]) -> None:
        for portion in _portions(held):
            pairs = [(kind, name, lease[0]) for lease in portion for kind, name in _sets_of(lease)]
            await self._renew(
                keys=[self._keys.connections(kind, name) for kind, name, _ in pairs],
                args=[self._milliseconds, *(member for _, _, member in pairs)],
            )
            for lease in set(portion) - self._held:  # released meanwhile, but now renewed in Redis
                self._released.append(lease)

    @property
    def _milliseconds(self) -> int:
        return round(self._seconds * 1000)


def _sets_of(lease: ConnectionLease) -> Iterable[tuple[str, str]]:
    _, account, address = lease
    if account is not None:
        yield "user", account
    if address is not None:
        yield "ip", address


def _portions(leases: Sequence[ConnectionLease]) -> Iterable[Sequence[ConnectionLease]]:
    return (leases[at : at + _PORTION] for at in range(0, len(leases), _PORTION))
