"""Tokens that the API signs: for logins, for API keys, and on the command line.

The API signs with HS256 and JWT_SECRET (RFC 7519, RFC 7518 3.2). If JWKS_URL is set, another issuer
signs the tokens, and the API signs none.

See docs/decisions/0077-revocations-cover-clocks-ahead.md.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Collection, Mapping

import jwt

from services.api.errors import FeatureDisabledError
from shared.auth.settings import AuthSettings
from shared.redis.clock import Clock

MAX_TOKEN_SECONDS = 366 * 86_400
"""The longest lifetime of a token, in seconds. A revocation is stored for the same time."""


class TokenIssuer:
    """Signs tokens, with the same settings with which `Verifier` checks them.

    `iat` has milliseconds. With whole seconds, a new token could seem older than an epoch of the
    data that began in the same second, and would be refused.
    """

    def __init__(self, settings: AuthSettings, clock: Clock = time.time) -> None:
        self._settings = settings
        self._clock = clock

    def issue(
        self,
        account: str,
        scopes: Collection[str],
        *,
        seconds: int,
        token_id: str = "",
        claims: Mapping[str, object] | None = None,
        earliest: float = 0.0,
    ) -> tuple[str, int]:
        """A token and its `exp` in Unix seconds. Its `iat` is now, but not before `earliest`.

        After a revocation, `earliest` is up to MAX_ISSUED_AHEAD seconds in the future. Raises
        FeatureDisabledError without JWT_SECRET.
        """
        secret = self._settings.jwt_secret.get_secret_value()
        if not secret:
            raise FeatureDisabledError(
                "This API issues no tokens. Get a token from the issuer whose keys are at JWKS_URL."
            )
        now = math.floor(self._clock() * 1000) / 1000
        expires = int(now) + seconds
        standard_claims: dict[str, object] = {
            "iss": self._settings.jwt_issuer,
            "aud": self._settings.jwt_audience,
            "sub": account,
            "scope": " ".join(sorted(scopes)),
            "iat": max(now, math.ceil(earliest * 1000) / 1000),
            "exp": expires,
            "jti": token_id or secrets.token_hex(16),
        }
        payload = {**(claims or {}), **standard_claims}
        return jwt.encode(payload, secret, algorithm="HS256"), expires
