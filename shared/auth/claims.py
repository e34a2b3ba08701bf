"""Reads a principal from the claims of a token.

Claims: `sub` is the account, `scope` a space-separated list of scopes, `iat` and `exp` are Unix
seconds. The optional `topics` limits the streams and accounts that the token may read and change.
`jti` identifies a login or an API key: a refreshed token keeps its `jti`, and a revocation of one
token names a `jti`.

A separate module, because a fanout without tokens does not import PyJWT
(docs/decisions/0086-a-fanout-imports-only-what-it-uses.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt

from shared.auth.principal import Principal


def principal_of(claims: Mapping[str, Any]) -> Principal:
    """The principal of these claims. Raises jwt.InvalidTokenError for claims of a wrong type."""
    scope, topics = claims.get("scope", ""), claims.get("topics")
    if not isinstance(claims["sub"], str) or not claims["sub"] or not isinstance(scope, str):
        raise jwt.InvalidTokenError("sub and scope must be strings, and sub must not be empty")
    if topics is not None and not (
        isinstance(topics, list) and all(isinstance(topic, str) for topic in topics)
    ):
        raise jwt.InvalidTokenError("topics must be a list of strings")
    return Principal(
        account=claims["sub"],
        scopes=frozenset(scope.split()),
        topics=None if topics is None else frozenset(topics),
        expires=float(claims["exp"]),
        issued=float(claims.get("iat", 0)),
        token_id=str(claims.get("jti", "")),
    )
