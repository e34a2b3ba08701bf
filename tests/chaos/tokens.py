"""The tokens of a world's clients."""

from __future__ import annotations

import jwt

SECRET = "the secret of a run of chaos, of 32 bytes or more"


def token(account: str, *, scope: str = "", seconds: float = 600, at: float, name: str) -> str:
    """A token whose `jti` is `name`, issued at `at` (Unix seconds)."""
    claims = {"iss": "headrace", "aud": "headrace", "sub": account, "scope": scope, "jti": name}
    return jwt.encode({**claims, "iat": at, "exp": at + seconds}, SECRET, algorithm="HS256")
