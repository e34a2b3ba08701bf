"""A namespace in Redis: when its data began, and which network and contract it belongs to.

The *epoch* is the moment at which the data began, by Redis' clock. The first indexer or API that
finds none writes it. It is lost together with the data, and then a new one begins. Revocations are
lost with the data too, so what was issued before the epoch is refused (shared.auth.revocations). To
end all tokens on purpose, as after a restore, delete the key: a new epoch begins within a second.

A namespace belongs to the network and the stream contract of its first indexer (the hash
`made-for`). An indexer with others is refused before it takes the lease, and checked again under
it. An API or a fanout with others is not ready.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.domain.errors import HeadraceError
from shared.domain.instant import utc_text
from shared.journal.keys import Keys
from shared.journal.settings import Common
from shared.redis.clock import ClockReading, RedisClock
from shared.redis.scripts import load_script
from shared.runtime.metrics import EPOCH, SKEW
from shared.web.probes import Readiness

log = structlog.get_logger()

EVERY = 1.0
"""Seconds between two looks."""

_BEGIN = load_script(__package__, "begin_epoch")
_CLAIM = load_script(__package__, "claim_namespace")


class ForeignNamespaceError(HeadraceError):
    """The namespace belongs to another contract or network; an operator has to change a setting."""


async def begin_epoch(redis: Redis, keys: Keys) -> int:
    """The epoch in Unix microseconds. Begins one if there is none; of many callers one does."""
    began, epoch = await redis.register_script(_BEGIN)(keys=[keys.epoch])
    if began:
        meaning = "Redis had no data of this namespace: tokens issued before now are refused"
        log.warning("epoch_began", at=utc_text(int(epoch) / 1e6), meaning=meaning)
    return int(epoch)


class NamespaceClaim:
    """The indexer's claim to a namespace: takes a new one, refuses one of another contract."""

    def __init__(self, redis: Redis, settings: Common) -> None:
        self._ours = settings
        self._redis = redis
        self._script = redis.register_script(_CLAIM)

    async def check(self) -> None:
        """Raises ForeignNamespaceError. Changes nothing, so it needs no lease."""
        made = await self._redis.hmget(self._ours.keys.made_for, ["network", "contract"])
        if wrong := mismatch(self._ours, made):
            raise ForeignNamespaceError(wrong)

    async def hold(self, *, begin: bool = False) -> None:
        """Under the lease: as `check`, and write network and contract if they are missing.

        Before the first cursor they are written only with `begin`, which says that the source is
        of our network. Tokens may change: an added token is read from the cursor on.
        """
        ours = self._ours
        tokens = ",".join(sorted(each.address for each in ours.contracts[1:]))
        arguments: list[str | int] = [
            ours.network_passphrase,
            ours.contracts[0].address,
            tokens,
            int(begin),
        ]
        keys = [ours.keys.made_for, ours.keys.progress]
        made = await self._script(keys=keys, args=arguments)
        if wrong := mismatch(ours, made[:2]):
            raise ForeignNamespaceError(wrong)
        if made and (before := made[2].decode()) != tokens:
            was, now = set(before.split(",")) - {""}, set(tokens.split(",")) - {""}
            log.warning(
                "tokens_changed",
                added=sorted(now - was),
                removed=sorted(was - now),
                meaning="tokens that were added are read from the cursor on, not from before",
            )


def mismatch(ours: Common, made: Sequence[Any]) -> str | None:
    """Why these settings do not match the network and contract of a namespace.

    None when they match, or when no indexer has claimed the namespace yet.
    """
    if not made or None in made:
        return None
    network, contract = (value.decode() for value in made)
    mine = ours.contracts[0].address
    if (network, contract) == (ours.network_passphrase, mine):
        return None
    return (
        f"the namespace {ours.keys.namespace} was made for contract {contract} on {network!r}, but "
        f"this service is set to {mine} on {ours.network_passphrase!r}: correct CONTRACTS or "
        "NETWORK_PASSPHRASE, or set another NAMESPACE"
    )


class NamespaceWatch:
    """One per service: reads Redis' clock, begins the epoch, checks whose the namespace is.

    The fanout passes `begins` False, since its user of Redis may not write the epoch.
    """

    def __init__(
        self,
        redis: Redis,
        settings: Common,
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
        self._said: dict[str, str | None] = {}

    async def first(self) -> None:
        """Look once before the first request, so that the time is known; Redis may be away."""
        with suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(EVERY):
                await self.look()

    async def run(self) -> None:
        """Look for ever. Raises redis-py's errors while Redis is away."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Look once, in one round trip."""
        keys = self._settings.keys
        pipe = self._redis.pipeline(transaction=False)
        pipe.time()
        pipe.get(keys.epoch)
        pipe.hmget(keys.made_for, ["network", "contract"])
        asked = ClockReading.now()
        (seconds, microseconds), epoch, made = await pipe.execute()
        self._clock.set(seconds + microseconds / 1e6, asked, ClockReading.now())
        SKEW.set(self._clock.skew)
        self._say("clock", self._clock.skew_error)
        self._say("namespace", mismatch(self._settings, made))
        if epoch is None and self._begins:
            epoch = await begin_epoch(self._redis, keys)
        EPOCH.set(int(epoch or 0) / 1e6)

    def _say(self, part: str, trouble: str | None) -> None:
        self._readiness.set(part, trouble)
        if (trouble is None) != (self._said.get(part) is None):
            (log.error if trouble else log.info)(f"{part}_compared", trouble=trouble)
        self._said[part] = trouble
