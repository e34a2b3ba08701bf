"""Tickets and revocations: what the API and the fanouts tell each other about tokens, in Redis.

A ticket stands for a token for 30 s, so that no token need be in a URL. It is for one use, and for
one more by the same client: an EventSource whose first answer never arrived has no cookie yet and
comes back with the same URL. A revocation is a
key that outlives the tokens it ends, and an entry in a short log that fanouts read once a second,
so that live connections end too.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from shared.auth import Principal
from shared.keys import Keys
from shared.replicas import Replicas

TICKET_SECONDS = 30
_LOG_ENTRIES = 10_000

_REDEEM = """
-- KEYS: the ticket, a hash of its token and of the client that has used it. ARGV: this client.
local token, user = unpack(redis.call('HMGET', KEYS[1], 'token', 'user'))
if not token or (user and user ~= ARGV[1]) then return false end
if user then redis.call('DEL', KEYS[1]) else redis.call('HSET', KEYS[1], 'user', ARGV[1]) end
return token
"""


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


class Sessions:
    """Tickets and revocations of one namespace; a revocation waits for `replicas`."""

    def __init__(self, redis: Redis, keys: Keys, replicas: Replicas | None = None) -> None:
        self._redis = redis
        self._keys = keys
        self._replicas = replicas or Replicas(redis)
        self._redeem = redis.register_script(_REDEEM)

    async def issue_ticket(self, token: str) -> str:
        """A ticket for a token that was verified just now."""
        ticket = secrets.token_urlsafe(24)
        key = self._ticket(ticket)
        pipe = self._redis.pipeline(transaction=True)
        pipe.hset(key, "token", token)
        pipe.pexpire(key, TICKET_SECONDS * 1000)
        await pipe.execute()
        return ticket

    async def redeem_ticket(self, ticket: str, client: str) -> str | None:
        """The ticket's token: once, and once more for the same `client`.

        None when it was used, is older than 30 s or never was. `client` is whatever tells clients
        apart, such as the address and the browser's name.
        """
        token = await self._redeem(keys=[self._ticket(ticket)], args=[_digest(client)])
        return None if token is None else _text(token)

    def _ticket(self, ticket: str) -> str:
        return self._keys.ticket(_digest(ticket))

    async def spend_challenge(self, digest: str, *, seconds: int) -> bool:
        """Whether a challenge is spent by this call, and not by one before: a token each, no more.

        `seconds` is how long it could still be shown.
        """
        key = self._keys.challenge(digest)
        return bool(await self._redis.set(key, 1, nx=True, ex=max(1, seconds)))

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

    async def is_revoked(self, principal: Principal) -> bool:
        """Whether a token was ended."""
        token, before = await self._redis.mget(
            self._keys.revoked_token(principal.token_id),
            self._keys.revoked_account(principal.account),
        )
        if principal.token_id and token is not None:
            return True
        return before is not None and principal.issued <= float(before)

    async def revocations_after(self, cursor: str) -> tuple[str, list[Revocation]]:
        """Those logged since the cursor, and the cursor for the next call; "" begins now."""
        rows: Any
        if not cursor:
            rows = await self._redis.xrevrange(self._keys.revocations, count=1)
            return (_text(rows[0][0]) if rows else "0-0"), []
        rows = await self._redis.xrange(self._keys.revocations, min=f"({cursor}")
        found = [_revocation(fields) for _, fields in rows]
        return (_text(rows[-1][0]) if rows else cursor), found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _revocation(fields: Mapping[bytes, bytes]) -> Revocation:
    return Revocation(
        token_id=fields[b"token"].decode(),
        account=fields[b"account"].decode(),
        before=float(fields[b"before"]),
    )
