"""Checks JSON Web Tokens: signature, times, issuer and audience.

The settings decide which algorithms are allowed, never the token (RFC 8725 2.1).
shared.auth.revocations checks whether a token was revoked or was issued before the epoch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import jwt
import structlog
from jwt.types import Options

from shared.auth.credentials import unauthorized
from shared.auth.principal import MAX_ISSUED_AHEAD, Principal, principal_of
from shared.auth.settings import AuthSettings
from shared.redis.clock import Clock
from shared.web.problems import unavailable

log = structlog.get_logger()

_JWKS_SECONDS = 300.0
"""Seconds after which the JWKS is read again."""
_RETRY_SECONDS_EMPTY, _RETRY_SECONDS = 1.0, 10.0
"""Seconds between two reads of the JWKS because of unknown key ids.

The first value is for a verifier that knows no key yet. An unknown key id can mean that the keys
were rotated, so the JWKS is read again. Anybody can send made-up key ids, so there is a limit.
"""

_BY_OUR_CLOCK: Options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
"""PyJWT would use the machine's clock. `_check_times` uses the clock of Redis instead."""

_INVALID_JWKS_ERRORS = (ValueError, TypeError, AttributeError, jwt.PyJWTError)
"""Errors of PyJWT and of our checks if the document at JWKS_URL is not a JWKS."""


class Verifier:
    """Checks tokens with the secret or with the keys of the JWKS, which may be rotated.

    `exp` and `nbf` are compared with `clock`. Services pass the clock of Redis.
    """

    def __init__(
        self,
        settings: AuthSettings,
        session: aiohttp.ClientSession | None,
        clock: Clock = time.time,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._session = session
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._read_at = self._tried_at = -_JWKS_SECONDS
        self._reading = asyncio.Lock()

    async def verify(self, token: str) -> Principal:
        """The principal of a token. Raises Problem 401 with the reason for an invalid token.

        Raises Problem 503 if the token's key is unknown and the JWKS cannot be read. A 401 would be
        wrong then: the token may be valid, and an EventSource does not reconnect after a 401.
        """
        return principal_of(await self.claims(token))

    async def claims(self, token: str) -> dict[str, Any]:
        """The claims of a token, with the types that `principal_of` needs. Raises like `verify`."""
        try:
            key, algorithms = await self._key(jwt.get_unverified_header(token))
            claims = jwt.decode(
                token,
                key,
                algorithms=algorithms,
                issuer=self._settings.jwt_issuer,
                audience=self._settings.jwt_audience,
                options={"require": ["exp", "iss", "aud", "sub"], **_BY_OUR_CLOCK},
            )
            now = self._clock()
            _check_times(claims, now)
            _check_issued(principal_of(claims).issued, now)
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            reason = str(error) if isinstance(error, jwt.PyJWTError) else "it is not a JWT"
            raise unauthorized(f"The token is not valid: {reason}.") from None
        return claims

    async def _key(self, header: Mapping[str, Any]) -> tuple[Any, list[str]]:
        if secret := self._settings.jwt_secret.get_secret_value():
            return secret, ["HS256"]
        kid = header.get("kid")
        # With an unknown key, wait for a read of the JWKS. With a known key, read the JWKS if it is
        # stale; but if another call already reads it, use the known key at once.
        if kid not in self._keys or (self._stale() and not self._reading.locked()):
            async with self._reading:
                await self._read_if_due(kid)
        if (key := self._keys.get(kid)) is None:
            if self._read_at < self._tried_at:
                raise unavailable("The public keys for tokens (JWKS) cannot be read at the moment.")
            raise jwt.InvalidKeyError(f"its key id {str(kid)[:64]!r} is unknown")
        return key.key, [a for a in self._settings.jwt_algorithms if a == key.algorithm_name]

    def _stale(self) -> bool:
        return time.monotonic() - self._read_at > _JWKS_SECONDS

    async def _read_if_due(self, kid: object) -> None:
        """Read the JWKS if a read is due. If the read fails, the keys known so far stay in use."""
        url, now = self._settings.jwks_url, time.monotonic()
        pause = _RETRY_SECONDS if self._keys else _RETRY_SECONDS_EMPTY
        if not url or now - self._tried_at < pause or (kid in self._keys and not self._stale()):
            return
        assert self._session is not None
        self._tried_at = now
        try:
            timeout = aiohttp.ClientTimeout(total=5)
            async with self._session.get(url, timeout=timeout) as response:
                response.raise_for_status()
                document = await response.json(content_type=None)
            if not isinstance(document, dict):
                raise ValueError("the JWKS is not a JSON object")
            self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(document).keys}
            self._read_at = now
        except (aiohttp.ClientError, TimeoutError, *_INVALID_JWKS_ERRORS) as error:
            log.warning("jwks_unreadable", error=type(error).__name__)


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
