"""Tokens that the API signs: for a login, for an API key, and by hand for the first admin.

HS256 with JWT_SECRET (RFC 7519, RFC 7518 3.2). With JWKS_URL tokens come from elsewhere, and the
API signs none.
"""

from __future__ import annotations

import argparse
import math
import secrets
import sys
import time
from collections.abc import Collection, Mapping, Sequence

import jwt

from services.api.settings import Settings
from shared.auth.principal import Scope
from shared.auth.settings import AuthSettings
from shared.domain.strkeys import is_account
from shared.redis.clock import Clock
from shared.runtime.config import load
from shared.web.problems import Problem, Slug

LONGEST = 366 * 86_400
"""Seconds that a token may live at the most, and so how long a revocation is kept."""


class Issuer:
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


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m services.api token",
        description="Print a token signed with JWT_SECRET; how the first admin comes to be.",
    )
    parser.add_argument("--account", required=True, help="whose token it is: G…, C… or M…")
    parser.add_argument("--scope", action="append", choices=[*Scope], default=[], help="may repeat")
    parser.add_argument("--hours", type=float, default=1.0, help="hours that it is good for (1)")
    given = parser.parse_args(argv)
    if not is_account(given.account):
        parser.error("--account: expected a valid G…, C… or M… address (its checksum counts)")
    if not 0 < given.hours * 3600 <= LONGEST:
        parser.error(f"--hours: expected more than 0 and at most {LONGEST // 3600}")
    return given


def main(argv: Sequence[str]) -> int:
    """`python -m services.api token …`: the token on stdout; returns the exit code."""
    given = _arguments(argv)
    issuer = Issuer(load(Settings, []))
    try:
        token, _ = issuer.issue(given.account, given.scope, seconds=int(given.hours * 3600) or 1)
    except Problem:
        print("JWT_SECRET is not set: there is nothing to sign with", file=sys.stderr)
        return 2
    print(token)
    return 0
