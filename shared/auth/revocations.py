"""Revocations: tokens that ended early, in Redis, for the API and the fanouts.

A revocation is a key that outlives the tokens it ends, and an entry in a short log. Fanouts read
the log once a second, so that open connections end too.

When Redis loses its data, it loses the revocations. So each token must have been issued after the
*epoch*, the moment at which the data in Redis began (shared.journal.namespace).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from shared.auth.credentials import unauthorized
from shared.auth.principal import Principal
from shared.domain.instant import utc_text
from shared.journal.keys import Keys
from shared.redis.replication import Replicas

_LOG_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class Revocation:
    """Ends one token (`token_id`), or all of an account issued up to `before` (Unix seconds)."""

    token_id: str = ""
    account: str = ""
    before: float = 0.0

    def ends(self, principal: Principal) -> bool:
        """Whether a principal's token is ended by this."""
        if self.token_id:
            return principal.token_id == self.token_id
        return principal.account == self.account and principal.issued <= self.before


class EpochUnknownError(RedisConnectionError):
    """Redis has no epoch yet: no indexer and no API has begun one. No token can be checked."""


@dataclass(frozen=True, slots=True)
class RevocationBatch:
    """What `read_since` found; `epoch` in Unix seconds, None while there is none."""

    cursor: str
    revocations: Sequence[Revocation]
    epoch: float | None


class RevocationStore:
    """Tickets and revocations of one namespace; a revocation waits for `replicas`."""

    def __init__(self, redis: Redis, keys: Keys, replicas: Replicas | None = None) -> None:
        self._redis = redis
        self._keys = keys
        self._replicas = replicas or Replicas(redis)

    async def spend_challenge(self, digest: str, *, issued: float, seconds: int) -> None:
        """Spend a challenge, which is good for one token. Raises Problem 401, EpochUnknownError.

        `issued` in Unix seconds; `seconds` is how long it is still valid. Both commands use one
        connection, so Redis cannot be restarted empty between them unnoticed.
        """
        pipe = self._redis.pipeline(transaction=False)
        pipe.get(self._keys.epoch)
        pipe.set(self._keys.challenge(digest), 1, nx=True, ex=max(1, seconds))
        epoch, spent = await pipe.execute()
        if not issued >= _epoch(epoch):
            raise unauthorized(
                "the challenge is older than the data of this service: ask for a new one"
            )
        if not spent:
            raise unauthorized("the challenge was used before: ask for a new one")

    async def revoke(self, revocation: Revocation, *, seconds: int) -> None:
        """End tokens; `seconds` is how long the longest of them would still live.

        First the key, which no new connection gets past, then the entry that ends live ones.
        """
        pipe = self._replicas.pipeline()
        if revocation.token_id:
            pipe.set(self._keys.revoked_token(revocation.token_id), 1, ex=max(1, seconds))
        else:
            key = self._keys.revoked_account(revocation.account)
            pipe.set(key, repr(revocation.before), ex=max(1, seconds))
        fields: Any = {
            "token": revocation.token_id,
            "account": revocation.account,
            "before": repr(revocation.before),
        }
        pipe.xadd(self._keys.revocations, fields, maxlen=_LOG_ENTRIES, approximate=True)
        await self._replicas.execute(pipe)

    async def check(self, principal: Principal, *, stored: bool = False) -> None:
        """Raises Problem 401 when a token was revoked or is older than the epoch; EpochUnknown.

        `stored`: the principal is of an API key. Keys are stored in Redis and are lost with the
        revocations, so they are not compared with the epoch.
        """
        token, before, epoch = await self._redis.mget(
            self._keys.revoked_token(principal.token_id),
            self._keys.revoked_account(principal.account),
            self._keys.epoch,
        )
        revoked = principal.token_id and token is not None
        if revoked or (before is not None and principal.issued <= float(before)):
            raise unauthorized("the token was revoked: log in again")
        if not stored and issued_before(principal, began := _epoch(epoch)):
            raise unauthorized(_too_old(principal, began))

    async def read_since(self, cursor: str) -> RevocationBatch:
        """Revocations logged since the cursor, the cursor for the next call, and the epoch.

        The cursor "" begins now.
        """
        pipe = self._redis.pipeline(transaction=False)
        pipe.get(self._keys.epoch)
        if cursor:
            pipe.xrange(self._keys.revocations, min=f"({cursor}")
        else:
            pipe.xrevrange(self._keys.revocations, count=1)
        epoch, rows = await pipe.execute()
        found = [_revocation(fields) for _, fields in rows] if cursor else []
        last = _text(rows[-1][0]) if rows else cursor or "0-0"
        return RevocationBatch(last, found, None if epoch is None else int(epoch) / 1e6)


def issued_before(principal: Principal, epoch: float) -> bool:
    """Whether a token was issued before the epoch (Unix seconds), or does not say when it was."""
    return not principal.issued >= epoch  # NaN too


def _epoch(stored: bytes | str | None) -> float:
    """In Unix seconds. Raises EpochUnknownError."""
    if stored is None:
        raise EpochUnknownError(
            "Redis has no data yet: the indexer or the API has to begin the epoch"
        )
    return int(stored) / 1e6


def _too_old(principal: Principal, epoch: float) -> str:
    began = f"the data of this service began at {utc_text(epoch)}"
    if not principal.issued:
        return f"the token does not say when it was issued (`iat`), and {began}: use one that does"
    return (
        f"the token was issued at {utc_text(principal.issued)}, but {began}, so it may have been "
        "revoked: log in again, or make a new one (python -m services.api token)"
    )


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _revocation(fields: Mapping[bytes, bytes]) -> Revocation:
    return Revocation(
        token_id=fields[b"token"].decode(),
        account=fields[b"account"].decode(),
        before=float(fields[b"before"]),
    )
