"""Tokens that the API signs: for logins, for API keys, and on the command line.

The API signs with EdDSA and the first key of JWT_PRIVATE_KEY (RFC 8037), or else with HS256 and
JWT_SECRET (RFC 7518 3.2). Without both, only the issuer at JWKS_URL signs tokens.

See docs/decisions/0075-fanouts-have-no-secret-that-signs.md,
docs/decisions/0077-revocations-cover-clocks-ahead.md.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Collection, Mapping

import jwt

from services.api.auth.settings import LoginSettings
from services.api.errors import FeatureDisabledError
from shared.auth.signing_keys import ALGORITHM
from shared.redis.clock import Clock

MAX_TOKEN_SECONDS = 366 * 86_400
"""The longest lifetime of a token, in seconds. A revocation is stored for the same time."""


class TokenIssuer:
    """Signs tokens, with the same settings with which `Verifier` checks them.

    `iat` has milliseconds. With whole seconds, a new token could seem older than an epoch of the
    data that began in the same second, and would be refused.
    """

    def __init__(self, settings: LoginSettings, clock: Clock = time.time) -> None:
        self._settings = settings
        self._keys = settings.signing_keys
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
        FeatureDisabledError without JWT_PRIVATE_KEY and JWT_SECRET.
        """
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
        return self._sign(payload), expires

    def _sign(self, payload: dict[str, object]) -> str:
        if self._keys:
            key = self._keys[0]
            return jwt.encode(payload, key.private, ALGORITHM, headers={"kid": key.key_id})
        if secrets := self._settings.jwt_secrets:
            return jwt.encode(payload, secrets[0], "HS256")
        raise FeatureDisabledError(
            "This API issues no tokens. Get a token from the issuer whose keys are at JWKS_URL."
        )
