"""The namespace in Redis: when its data began, and which network and contract it belongs to.

The *epoch* is the time by Redis' clock at which the data began. The first indexer or API that finds
no epoch writes one. When Redis loses its data, it loses the epoch and the revocations too, and a
new epoch begins. A token from before the epoch may have been revoked, so it is refused
(shared.auth.revocations). To end all tokens on purpose, for example after a restore, delete the key
of the epoch: a new epoch begins within a second.

A namespace belongs to the network and the stream contract of its first indexer; the hash `made-for`
names them. Each indexer is checked before it takes the lease, and again once it has the lease. An
indexer with other settings is refused. An API or a fanout with other settings is not ready.

See docs/decisions/0053-epoch-is-lost-with-the-data.md,
docs/decisions/0054-redis-clock-decides.md,
docs/decisions/0055-a-namespace-has-one-contract.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.domain.errors import HeadraceError
from shared.domain.instant import utc_text
from shared.journal.keys import Keys
from shared.journal.settings import CommonSettings
from shared.redis.clock import ClockReading, RedisClock
from shared.redis.scripts import load_script
from shared.runtime.metrics import EPOCH, SKEW
from shared.web.probes import Readiness

log = structlog.get_logger()

CHECK_INTERVAL = 1.0
"""Seconds between two checks."""

_BEGIN = load_script(__package__, "begin_epoch")
_CLAIM = load_script(__package__, "claim_namespace")


class ForeignNamespaceError(HeadraceError):
    """The namespace belongs to another contract or network. An operator must change a setting."""


async def begin_epoch(redis: Redis, keys: Keys) -> int:
    """The epoch in Unix microseconds. If there is no epoch, the current time becomes the epoch."""
    began, epoch = await redis.register_script(_BEGIN)(keys=[keys.epoch])
    if began:
        meaning = "Redis has no data of this namespace; tokens issued before now are refused"
        log.warning("epoch_began", at=utc_text(int(epoch) / 1e6), meaning=meaning)
    return int(epoch)


async def begin_new_epoch(redis: Redis, keys: Keys) -> int:
    """End the epoch and begin a new one. Returns it in Unix microseconds."""
    await redis.delete(keys.epoch)
    return await begin_epoch(redis, keys)


async def read_owner(redis: Redis, keys: Keys) -> dict[str, str]:
    """The fields `network`, `contract` and `tokens`; empty before an indexer has claimed it."""
    names = ["network", "contract", "tokens"]
    reply: Any = await redis.hmget(keys.namespace_owner, names)
    return {n: value.decode() for n, value in zip(names, reply, strict=True) if value is not None}


async def write_owner(redis: Redis, keys: Keys, owner: Mapping[str, str]) -> None:
    """Store the owner that `read_owner` returned before a loss."""
    if owner:
        fields: Any = dict(owner)
        await redis.hset(keys.namespace_owner, mapping=fields)


class NamespaceClaim:
    """Lets an indexer claim a new namespace, and refuses a namespace of another contract."""

    def __init__(self, redis: Redis, settings: CommonSettings) -> None:
        self._settings = settings
        self._redis = redis
        self._script = redis.register_script(_CLAIM)

    async def check(self) -> None:
        """Raise ForeignNamespaceError for another network or contract. Needs no lease."""
        owner = await self._redis.hmget(
            self._settings.keys.namespace_owner, ["network", "contract"]
        )
        if wrong := mismatch(self._settings, owner):
            raise ForeignNamespaceError(wrong)

    async def hold(self, *, begin: bool = False) -> None:
        """Check as `check` does, and write network and contract if they are missing.

        Call it only while holding the lease. Before the first cursor exists, network and contract
        are written only if `begin` is True. Pass `begin` when the source is known to belong to our
        network. The token contracts may change. The events of an added token are read from the
        cursor on.
        """
        settings = self._settings
        tokens = ",".join(sorted(each.address for each in settings.contracts[1:]))
        arguments: list[str | int] = [
            settings.network_passphrase,
            settings.contracts[0].address,
            tokens,
            int(begin),
        ]
        keys = [settings.keys.namespace_owner, settings.keys.progress]
        owner = await self._script(keys=keys, args=arguments)
        if wrong := mismatch(settings, owner[:2]):
            raise ForeignNamespaceError(wrong)
        if owner and (before := owner[2].decode()) != tokens:
            was, now = set(before.split(",")) - {""}, set(tokens.split(",")) - {""}
            log.warning(
                "tokens_changed",
                added=sorted(now - was),
                removed=sorted(was - now),
                meaning="added tokens are read from the cursor on, without their earlier events",
            )


def mismatch(settings: CommonSettings, owner: Sequence[Any]) -> str | None:
    """Why these settings do not fit the network and contract of a namespace.

    None if they fit, or if no indexer has claimed the namespace yet.
    """
    if not owner or None in owner:
        return None
    network, contract = (value.decode() for value in owner)
    own_contract = settings.contracts[0].address
    if (network, contract) == (settings.network_passphrase, own_contract):
        return None
    return (
        f"the namespace {settings.keys.namespace} belongs to contract {contract} on {network!r}, "
        f"but this service is configured for {own_contract} on {settings.network_passphrase!r}: "
        "correct CONTRACTS or NETWORK_PASSPHRASE, or set another NAMESPACE"
    )


class NamespaceWatch:
    """Checks once a second: the time of Redis, the epoch, and the owner of the namespace.

    Each service has one NamespaceWatch. The fanout passes `begins` False, because its user of Redis
    may not write the epoch.
    """

    def __init__(
        self,
        redis: Redis,
        settings: CommonSettings,
        clock: RedisClock,
        readiness: Readiness,
        *,
        begins: bool,
    ) -> None:
        self._redis = redis
        self._settings = settings
        self._clock = clock
        self._readiness = readiness
        self._begins = begins
        self._reasons: dict[str, str | None] = {}

    async def check_first(self) -> None:
        """Check once before the first request, to know the time. A failing Redis is ignored."""
        with suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(CHECK_INTERVAL):
                await self.check()

    async def run(self) -> None:
        """Check until cancelled. Raises redis-py's errors while Redis is unavailable."""
        while True:
            await self.check()
            await asyncio.sleep(CHECK_INTERVAL)

    async def check(self) -> None:
        """Check once, in one round trip."""
        keys = self._settings.keys
        pipe = self._redis.pipeline(transaction=False)
        pipe.time()
        pipe.get(keys.epoch)
        pipe.hmget(keys.namespace_owner, ["network", "contract"])
        asked = ClockReading.now()
        (seconds, microseconds), epoch, owner = await pipe.execute()
        self._clock.set(seconds + microseconds / 1e6, asked, ClockReading.now())
        SKEW.set(self._clock.skew)
        self._report("clock", self._clock.skew_error)
        self._report("namespace", mismatch(self._settings, owner))
        if epoch is None and self._begins:
            epoch = await begin_epoch(self._redis, keys)
        EPOCH.set(int(epoch or 0) / 1e6)

    def _report(self, part: str, reason: str | None) -> None:
        self._readiness.set(part, reason)
        if (reason is None) != (self._reasons.get(part) is None):
            (log.error if reason else log.info)(f"{part}_compared", reason=reason)
        self._reasons[part] = reason
