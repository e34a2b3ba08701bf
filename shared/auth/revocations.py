"""Revocations: tokens that were ended before they expired. Kept in Redis for API and fanout.

A revocation is a key that outlives the revoked tokens, and an entry in a short log. Fanouts read
the log once a second and close the connections of revoked tokens.

When Redis loses its data, the revocations are lost too. Therefore a token is valid only when it was
issued after the *epoch*, the time at which the data in Redis began (shared.journal.namespace).

See docs/decisions/0053-epoch-is-lost-with-the-data.md,
docs/decisions/0077-revocations-cover-clocks-ahead.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from shared.auth.credentials import unauthorized
from shared.auth.principal import MAX_ISSUED_AHEAD, Principal
from shared.domain.instant import utc_text
from shared.domain.strkeys import account_of_login
from shared.journal.keys import Keys
from shared.redis.replication import Replicas

_LOG_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class Revocation:
    """Revokes one token (`token_id`), or all tokens of `account` that were issued up to `before`.

    `before` is in Unix seconds. If `account` is G…, this also ends the logins of its users: M… and
    G… with a memo (SEP-10).
    """

    token_id: str = ""
    account: str = ""
    before: float = 0.0

    def ends(self, principal: Principal) -> bool:
        """True if this revokes the token of the principal."""
        if self.token_id:
            return principal.token_id == self.token_id
        return self.account in accounts_of(principal) and _could_be_issued(principal, self.before)


class EpochUnknownError(RedisConnectionError):
    """No token can be checked, because Redis has no epoch yet.

    The indexer or the API creates the epoch. Callers handle this error as if Redis were away.
    """


@dataclass(frozen=True, slots=True)
class RevocationBatch:
    """Revocations from the log, and the cursor of the last one.

    `epoch` is in Unix seconds. It is None while Redis has no epoch.
    """

    cursor: str
    revocations: Sequence[Revocation]
    epoch: float | None


class RevocationStore:
    """The revocations and the used challenges of one namespace.

    `revoke` waits until `replicas` have the revocation.
    """

    def __init__(self, redis: Redis, keys: Keys, replicas: Replicas | None = None) -> None:
        self._redis = redis
        self._keys = keys
        self._replicas = replicas or Replicas(redis)

    async def spend_challenge(self, digest: str, *, issued: float, seconds: int) -> None:
        """Mark a challenge as used, because one challenge gives only one token.

        `issued` is in Unix seconds. `seconds` is the time until the challenge expires. Both
        commands use one connection, so the call fails if Redis restarts between them and loses its
        data. Raises Problem 401 if the challenge was used or was issued before the epoch, and
        EpochUnknownError.
        """
        pipe = self._redis.pipeline(transaction=False)
        pipe.get(self._keys.epoch)
        pipe.set(self._keys.challenge(digest), 1, nx=True, ex=max(1, seconds))
        epoch, spent = await pipe.execute()
        if not issued >= _epoch(epoch):
            raise unauthorized(
                "The service lost its data after it issued this challenge. Request a new one."
            )
        if not spent:
            raise unauthorized("The challenge was already used. Request a new one.")

    async def revoke(self, revocation: Revocation, *, seconds: int) -> None:
        """Revoke tokens. `seconds` is the time until the last of these tokens would expire.

        The key is written before the log entry. So when the fanouts read the entry and close the
        connections of these tokens, no new one is accepted. Raises NotReplicatedError.
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
        """Raise Problem 401 when the token was revoked or was issued before the epoch.

        `stored` is True for an API key. API keys are stored in Redis and are lost together with
        the revocations, so they are not compared with the epoch. Their time of issue comes from
        Redis' clock, so it is never ahead. Raises EpochUnknownError.
        """
        token, epoch, *moments = await self._redis.mget(
            self._keys.revoked_token(principal.token_id),
            self._keys.epoch,
            *map(self._keys.revoked_account, accounts_of(principal)),
        )
        before = _latest(moments)
        by_account = principal.issued <= before if stored else _could_be_issued(principal, before)
        if (principal.token_id and token is not None) or by_account:
            raise unauthorized("The token was revoked. Log in again.")
        if not stored and issued_before(principal, began := _epoch(epoch)):
            raise unauthorized(_too_old(principal, began))

    async def first_valid_issue(self, principal: Principal) -> float:
        """The first `iat` (Unix seconds) that no revocation of the principal's account covers.

        0 if there is no revocation.
        """
        names = map(self._keys.revoked_account, accounts_of(principal))
        before = _latest(await self._redis.mget(*names))
        return max(0.0, before + MAX_ISSUED_AHEAD + 0.001)

    async def read_since(self, cursor: str) -> RevocationBatch:
        """The revocations that were logged after the cursor, the next cursor, and the epoch.

        With the cursor "" the batch is empty and its cursor is the end of the log.
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


def accounts_of(principal: Principal) -> tuple[str, ...]:
    """The accounts whose revocation ends a token of this principal."""
    return principal.account, account_of_login(principal.account)


def _latest(moments: Sequence[bytes | str | None]) -> float:
    """The latest of these stored times; minus infinity if there is none."""
    return max((float(moment) for moment in moments if moment is not None), default=-math.inf)


def _could_be_issued(principal: Principal, before: float) -> bool:
    """True if the token was issued up to `before`, or could have been: clocks can be ahead."""
    return principal.issued <= before + MAX_ISSUED_AHEAD


def issued_before(principal: Principal, epoch: float) -> bool:
    """True if a token was issued before the epoch (Unix seconds) or has no usable `iat`."""
    return not principal.issued >= epoch  # also True for NaN


def _epoch(stored: bytes | str | None) -> float:
    """The epoch in Unix seconds. Raises EpochUnknownError."""
    if stored is None:
        raise EpochUnknownError(
            "Redis has no epoch yet: start the indexer or the API, which create it"
        )
    return int(stored) / 1e6


def _too_old(principal: Principal, epoch: float) -> str:
    began = utc_text(epoch)
    if not principal.issued:
        return (
            "The token has no `iat` claim, so its age is unknown. Tokens that were issued before "
            f"{began} are refused. Use another token."
        )
    return (
        f"The token was issued at {utc_text(principal.issued)}. This service knows revocations "
        f"only since {began}, so it refuses older tokens. Log in again, or issue a new token "
        "(python -m services.api token)."
    )


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _revocation(fields: Mapping[bytes, bytes]) -> Revocation:
    return Revocation(
        token_id=fields[b"token"].decode(),
        account=fields[b"account"].decode(),
        before=float(fields[b"before"]),
    )
