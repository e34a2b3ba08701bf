"""Tickets: a client exchanges a token for a ticket, so that no URL contains the token.

A ticket is valid for 30 s. Only the first client that uses the ticket may use it once more: an
EventSource that lost its connection before the first response has no cookie yet, and reconnects
with the same URL.
"""

from __future__ import annotations

import hashlib
import secrets

from redis.asyncio import Redis

from shared.journal.keys import Keys
from shared.redis.scripts import load_script

TICKET_SECONDS = 30

_REDEEM = load_script(__package__, "redeem_ticket")


class Tickets:
    """The tickets of one namespace."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._redeem = redis.register_script(_REDEEM)

    async def issue(self, token: str) -> str:
        """Create a ticket for a token. The caller has verified the token."""
        ticket = secrets.token_urlsafe(24)
        key = self._key(ticket)
        pipe = self._redis.pipeline(transaction=True)
        pipe.hset(key, "token", token)
        pipe.pexpire(key, TICKET_SECONDS * 1000)
        await pipe.execute()
        return ticket

    async def redeem(self, ticket: str, client: str) -> str | None:
        """The token of a ticket. The same `client` may redeem a ticket twice.

        None when the ticket is used up, older than 30 s or unknown. `client` identifies the client,
        for example by its address and User-Agent.
        """
        token = await self._redeem(keys=[self._key(ticket)], args=[_digest(client)])
        return token.decode() if isinstance(token, bytes) else token

    def _key(self, ticket: str) -> str:
        return self._keys.ticket(_digest(ticket))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
