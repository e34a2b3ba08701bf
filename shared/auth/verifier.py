"""Checks JSON Web Tokens: signature, times, issuer and audience.

The settings decide which algorithms are allowed, never the token (RFC 8725 2.1).
shared.auth.revocations checks whether a token was revoked or was issued before the epoch.

See docs/decisions/0096-verified-tokens-are-remembered.md.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import jwt
from jwt.types import Options

from shared.auth.claims import principal_of
from shared.auth.credentials import unauthorized
from shared.auth.principal import MAX_ISSUED_AHEAD, Principal
from shared.auth.public_keys import PublicKeys
from shared.auth.settings import AuthSettings
from shared.redis.clock import Clock

_BY_OUR_CLOCK: Options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
"""PyJWT would use the machine's clock. `_check_times` uses the clock of Redis instead."""


_REMEMBERED_LENGTH = 2048
"""The most characters of a token that is remembered. 1,000 tokens need at most about 10 MB."""


class _VerifiedToken(NamedTuple):
    """The claims of a token, and the key that has checked its signature."""

    key_id: object
    key: Any
    claims: Mapping[str, Any]


class Verifier:
    """Checks tokens with the secrets or with the keys of the JWKS, which may be rotated.

    `exp` and `nbf` are compared with `clock`. Services pass the clock of Redis. The signatures of
    the last `remember` tokens are not checked again, as long as their keys are in use.
    """

    def __init__(
        self,
        settings: AuthSettings,
        keys: PublicKeys | None,
        clock: Clock = time.time,
        *,
        remember: int = 0,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._secrets = settings.jwt_secrets
        self._keys = keys
        self._most_verified = remember
        self._verified: dict[bytes, _VerifiedToken] = {}  # by the SHA-256 of the token

    async def verify(self, token: str) -> Principal:
        """The principal of a token. Raises Problem 401 with the reason for an invalid token.

        Raises Problem 503 if the token's key is unknown and the JWKS cannot be read. A 401 would be
        wrong then: the token may be valid, and an EventSource does not reconnect after a 401.
        """
        return principal_of(await self.claims(token))

    async def claims(self, token: str) -> dict[str, Any]:
        """The claims of a token, with the types that `principal_of` needs. Raises like `verify`."""
        try:
            claims = await self._signed_claims(token)
            now = self._clock()
            _check_times(claims, now)
            _check_issued(principal_of(claims).issued, now)
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            reason = str(error) if isinstance(error, jwt.PyJWTError) else "it is not a JWT"
            raise unauthorized(f"The token is not valid: {reason}.") from None
        return claims

    def is_own(self, token: str) -> bool:
        """True if this installation signed the token. The token must be valid."""
        if self._secrets:
            return True
        key_id = jwt.get_unverified_header(token).get("kid")
        return self._keys is not None and self._keys.is_own(key_id)

    async def _signed_claims(self, token: str) -> dict[str, Any]:
        """The claims after the checks that do not depend on the time.

        These checks cannot have another result later, unless the key id stands for another key.
        """
        digest = hashlib.sha256(token.encode()).digest()
        verified = self._verified.get(digest)
        key_id = verified.key_id if verified else jwt.get_unverified_header(token).get("kid")
        keys, algorithms = await self._keys_of(key_id)
        if verified is None or not any(verified.key is key for key in keys):
            verified = self._check(token, key_id, keys, algorithms)
            if len(token) <= _REMEMBERED_LENGTH:
                self._remember(digest, verified)
        return dict(verified.claims)

    def _check(
        self, token: str, key_id: object, keys: Sequence[Any], algorithms: list[str]
    ) -> _VerifiedToken:
        """Check the token with each key until one fits. Raises the error of the last one."""
        *others, last = keys
        for key in others:
            with suppress(jwt.InvalidSignatureError):
                return _VerifiedToken(key_id, key, self._decode(token, key, algorithms))
        return _VerifiedToken(key_id, last, self._decode(token, last, algorithms))

    def _decode(self, token: str, key: Any, algorithms: list[str]) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=algorithms,
            issuer=self._settings.jwt_issuer,
            audience=self._settings.jwt_audience,
            options={"require": ["exp", "iss", "aud", "sub"], **_BY_OUR_CLOCK},
        )

    def _remember(self, digest: bytes, verified: _VerifiedToken) -> None:
        """Remember a token. Forget the one that was added first if there are too many."""
        self._verified[digest] = verified
        if len(self._verified) > self._most_verified:
            del self._verified[next(iter(self._verified))]

    async def _keys_of(self, key_id: object) -> tuple[Sequence[Any], list[str]]:
        """The keys with which a token of this key id may be signed, at least one."""
        if self._secrets:
            return self._secrets, ["HS256"]
        found = await self._keys.find(key_id) if self._keys else None
        if found is None:
            raise jwt.InvalidKeyError(f"its key id {str(key_id)[:64]!r} is unknown")
        return (found.key,), [a for a in self._settings.jwt_algorithms if a == found.algorithm]


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    """Raise jwt.InvalidTokenError after `exp` or before `nbf` (RFC 7519 4.1.4, 4.1.5)."""
    if _seconds(claims, "exp") <= now:
        raise jwt.ExpiredSignatureError("Signature has expired")
    if _seconds(claims, "nbf") > now:
        raise jwt.ImmatureSignatureError("The token is not yet valid (nbf)")


def _check_issued(issued: float, now: float) -> None:
    """Raise jwt.InvalidTokenError if `iat` is too far ahead.

    A revocation ends the tokens that were issued before it. A token with an `iat` in the future
    would outlive the revocation.
    """
    if not issued <= now + MAX_ISSUED_AHEAD:  # also true for NaN
        raise jwt.ImmatureSignatureError("The token was issued in the future (iat)")


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    try:
        return int(claims.get(name, 0))
    except (ValueError, TypeError, OverflowError):
        raise jwt.DecodeError(f"{name} must be a number of seconds") from None
