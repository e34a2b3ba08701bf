"""Checks JSON Web Tokens: signature, times, issuer and audience.

Algorithms are pinned by the settings, never taken from the token (RFC 8725 2.1). Whether a token
was revoked, and whether its `iat` is older than the epoch, is checked by shared.auth.revocations.
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
from shared.auth.principal import Principal, principal_of
from shared.auth.settings import AuthSettings
from shared.redis.clock import Clock
from shared.web.problems import unavailable

log = structlog.get_logger()

_JWKS_SECONDS = 300.0
_JWKS_FIRST, _JWKS_AGAIN = 1.0, 10.0
"""Seconds between two fetches for a key that is not known: a rotation, or somebody guessing."""


_BY_OUR_CLOCK: Options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
"""PyJWT would compare with the machine's clock; `_check_times` compares with `clock`."""

_UNREADABLE = (ValueError, TypeError, AttributeError, jwt.PyJWTError)
"""What a document raises that is no JWKS."""


class Verifier:
    """Checks tokens by the secret or by the keys of a JWKS, which may rotate.

    `exp` and `nbf` are compared with `clock`; services pass that of Redis (shared.redis.clock).
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
        """The principal of a token. Raises Problem 401 that says what is wrong with it.

        503 while the keys of the JWKS cannot be read: a good token must not be told it is bad, for
        a 401 is final for an EventSource.
        """
        return principal_of(await self.claims(token))

    async def claims(self, token: str) -> dict[str, Any]:
        """The claims of a token, in the shapes that `principal_of` needs. Raises as `verify`."""
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
            _check_times(claims, self._clock())
            principal_of(claims)
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            word = str(error) if isinstance(error, jwt.PyJWTError) else "it is no token"
            raise unauthorized(f"the token was refused: {word}") from None
        return claims

    async def _key(self, header: Mapping[str, Any]) -> tuple[Any, list[str]]:
        if secret := self._settings.jwt_secret.get_secret_value():
            return secret, ["HS256"]
        kid = header.get("kid")
        # Nobody waits for a key that is there; those who miss one wait for the reading under way.
        if kid not in self._keys or (self._stale() and not self._reading.locked()):
            async with self._reading:
                await self._read_if_due(kid)
        if (key := self._keys.get(kid)) is None:
            if self._read_at < self._tried_at:
                raise unavailable("the keys that tokens are checked by cannot be read")
            raise jwt.InvalidKeyError(f"no key {str(kid)[:64]!r} is known")
        return key.key, [a for a in self._settings.jwt_algorithms if a == key.algorithm_name]

    def _stale(self) -> bool:
        return time.monotonic() - self._read_at > _JWKS_SECONDS

    async def _read_if_due(self, kid: object) -> None:
        """Read the JWKS; while it cannot be read, the keys known so far go on."""
        url, now = self._settings.jwks_url, time.monotonic()
        again = _JWKS_AGAIN if self._keys else _JWKS_FIRST
        if not url or now - self._tried_at < again or (kid in self._keys and not self._stale()):
            return
        assert self._session is not None
        self._tried_at = now
        try:
            timeout = aiohttp.ClientTimeout(total=5)
            async with self._session.get(url, timeout=timeout) as response:
                response.raise_for_status()
                document = await response.json(content_type=None)
            if not isinstance(document, dict):
                raise ValueError("the JWKS is no JSON object")
            self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(document).keys}
            self._read_at = now
        except (aiohttp.ClientError, TimeoutError, *_UNREADABLE) as error:
            log.warning("jwks_unreadable", error=type(error).__name__)


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    """Raises jwt.InvalidTokenError past `exp` or before `nbf` (RFC 7519 4.1.4, 4.1.5)."""
    if _seconds(claims, "exp") <= now:
        raise jwt.ExpiredSignatureError("Signature has expired")
    if _seconds(claims, "nbf") > now:
        raise jwt.ImmatureSignatureError("The token is not yet valid (nbf)")


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    try:
        return int(claims.get(name, 0))
    except (ValueError, TypeError, OverflowError):
        raise jwt.DecodeError(f"{name} must be a number of seconds") from None
