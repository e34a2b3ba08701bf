"""API keys for servers. Admins create and delete the keys. Each key has scopes.

The API shows a key once and stores only its SHA-256. A key is `hr_` and 256 random bits, so nobody
can guess it from the hash. The hash needs no salt and no stretching: NIST SP 800-63B 5.1.2.2
requires both only for secrets under 112 bits.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import orjson
from redis.asyncio import Redis

from shared.auth.principal import Principal
from shared.journal.keys import Keys
from shared.redis.replication import Replicas

PREFIX = "hr_"
_KEY = re.compile(r"hr_[A-Za-z0-9_-]{43}", re.ASCII)
_ID_LENGTH = 16


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key without its secret. Times are Unix seconds. `expires` is None: no expiry.

    `max_amounts`: the most base units of each token that one transaction may take from its source;
    other tokens are refused. None: no limit.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    account: str
    created: int
    created_by: str
    expires: int | None
    max_amounts: Mapping[str, int] | None = None

    def document(self) -> dict[str, object]:
        """The JSON object that the client gets."""
        amounts = self.max_amounts
        return {
            "id": self.id,
            "name": self.name,
            "scopes": list(self.scopes),
            "account": self.account or None,
            "createdAt": self.created,
            "createdBy": self.created_by,
            "expiresAt": self.expires,
            "maxAmounts": amounts and {token: str(most) for token, most in amounts.items()},
        }

    def principal(self) -> Principal:
        """The principal of this key. Without an account, the key's id stands for the account."""
        return Principal(
            account=self.account or token_id(self.id),
            scopes=frozenset(self.scopes),
            expires=None if self.expires is None else float(self.expires),
            issued=float(self.created),
            token_id=token_id(self.id),
            max_amounts=self.max_amounts,
        )


def token_id(key_id: str) -> str:
    """The `jti` of all tokens that were issued for a key. If it is revoked, all of them end."""
    return f"key-{key_id}"


class ApiKeys:
    """The keys of one namespace. A change waits until enough Redis replicas have the change."""

    def __init__(self, redis: Redis, keys: Keys, replicas: Replicas | None = None) -> None:
        self._redis = redis
        self._replicas = replicas or Replicas(redis)
        self._name = keys.api_keys

    async def create(
        self,
        *,
        name: str,
        scopes: Collection[str],
        account: str,
        by: str,
        now: int,
        expires: int | None,
        max_amounts: Mapping[str, int] | None = None,
    ) -> tuple[ApiKey, str]:
        """Create a key. Returns the key and its secret, which cannot be read again later."""
        secret = PREFIX + secrets.token_urlsafe(32)
        digest = _digest(secret)
        key = ApiKey(
            id=digest[:_ID_LENGTH],
            name=name,
            scopes=tuple(sorted(set(scopes))),
            account=account,
            created=now,
            created_by=by,
            expires=expires,
            max_amounts=max_amounts,
        )
        stored = orjson.dumps(key.document() | {"digest": digest})
        pipe = self._replicas.pipeline()
        pipe.hset(self._name, key.id, stored)
        await self._replicas.execute(pipe)
        return key, secret

    async def find(self, secret: str, now: float) -> ApiKey | None:
        """The key with this secret; None if the key is unknown, was deleted, or has expired."""
        if not _KEY.fullmatch(secret):
            return None
        digest = _digest(secret)
        if (stored := await self._redis.hget(self._name, digest[:_ID_LENGTH])) is None:
            return None
        document = orjson.loads(stored)
        key = _key(document)
        is_valid = key.expires is None or now < key.expires
        return key if is_valid and hmac.compare_digest(document["digest"], digest) else None

    async def all(self) -> list[ApiKey]:
        """All keys, newest first."""
        rows = await self._redis.hvals(self._name)
        return sorted((_key(orjson.loads(row)) for row in rows), key=lambda k: (-k.created, k.id))

    async def delete(self, key_id: str) -> bool:
        """Delete a key. Returns True if the key existed."""
        pipe = self._replicas.pipeline()
        pipe.hdel(self._name, key_id)
        return bool((await self._replicas.execute(pipe))[0])


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(document: dict[str, object]) -> ApiKey:
    expires = document["expiresAt"]
    scopes = document["scopes"]
    amounts = document.get("maxAmounts")  # older keys have no such field
    assert isinstance(scopes, list)
    assert isinstance(amounts, dict | None)
    return ApiKey(
        id=str(document["id"]),
        name=str(document["name"]),
        scopes=tuple(scopes),
        account=str(document["account"] or ""),
        created=int(str(document["createdAt"])),
        created_by=str(document["createdBy"]),
        expires=None if expires is None else int(str(expires)),
        max_amounts=None if amounts is None else {t: int(most) for t, most in amounts.items()},
    )
