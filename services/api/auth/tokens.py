"""Tokens that the API signs: for a login, for an API key, and by hand for the first admin.

HS256 with JWT_SECRET (RFC 7519, RFC 7518 3.2). With JWKS_URL tokens come from elsewhere, and the
API signs none.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Collection, Mapping

import jwt

from shared.auth.settings import AuthSettings
from shared.redis.clock import Clock
from shared.web.problems import Problem, Slug

MAX_TOKEN_SECONDS = 366 * 86_400
"""Seconds that a token may live at the most, and so how long a revocation is kept."""


class TokenIssuer:
    """Signs tokens by the settings that every Verifier checks them with.

    `iat` has milliseconds, to be comparable with an epoch that began in the same second.
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
    ) -> tuple[str, int]:
        """A token and its `exp` in Unix seconds. Raises Problem 404 without a secret to sign by."""
        secret = self._settings.jwt_secret.get_secret_value()
        if not secret:
            word = "no tokens are issued here: they come from the issuer of JWKS_URL"
            raise Problem(404, Slug.NOT_FOUND, word)
        now = math.floor(self._clock() * 1000) / 1000
        expires = int(now) + seconds
        ours: dict[str, object] = {
            "iss": self._settings.jwt_issuer,
            "aud": self._settings.jwt_audience,
            "sub": account,
            "scope": " ".join(sorted(scopes)),
            "iat": now,
            "exp": expires,
            "jti": token_id or secrets.token_hex(16),
        }
        return jwt.encode({**(claims or {}), **ours}, secret, algorithm="HS256"), expires
