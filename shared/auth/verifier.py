"""Who is asking, and what they may see: JSON Web Tokens and the rules on their claims.

Algorithms are pinned by the settings, never taken from the token (RFC 8725 2.1). `exp`, `iss` and
`aud` are checked. Claims: `sub` (the account), `scope` (space-separated), optional `topics` (an
allow-list that narrows, never widens), `jti` (what a revocation names: one login or one key, kept
when its token is refreshed), `iat`, `exp`. shared.auth.revocations compares `iat` with the epoch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import aiohttp
import jwt
import structlog
from aiohttp import web
from jwt.types import Options

from shared.auth.settings import AuthSettings
from shared.domain.topics import ALL, user_topic
from shared.redis.clock import Clock
from shared.web.problems import Problem, Slug, unavailable

log = structlog.get_logger()

COOKIE = "headrace_token"
_JWKS_SECONDS = 300.0
_JWKS_FIRST, _JWKS_AGAIN = 1.0, 10.0
"""Seconds between two fetches for a key that is not known: a rotation, or somebody guessing."""


_BY_OUR_CLOCK: Options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
"""PyJWT would compare with the machine's clock; `_check_times` compares with `clock`."""

_UNREADABLE = (ValueError, TypeError, AttributeError, jwt.PyJWTError)
"""What a document raises that is no JWKS."""


class Scope(StrEnum):
    """What a token allows beyond seeing one's own streams."""

    EVENTS_ALL = "events:all"
    STREAMS_WRITE = "streams:write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody whose token held. `expires` in Unix seconds, None for never (open mode)."""

    account: str
    scopes: frozenset[str]
    topics: frozenset[str] | None = None
    expires: float | None = None
    issued: float = 0.0
    token_id: str = ""

    def has(self, scope: Scope) -> bool:
        """Whether the token carries a scope; admin carries all."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def may_see_all(self) -> bool:
        """Whether every event is visible, within the allow-list."""
        return self.has(Scope.EVENTS_ALL)

    def may_subscribe(self, topic: str, parties: Collection[str]) -> bool:
        """Whether a topic may be subscribed to; `parties` are those of the stream it names."""
        if self.topics is not None and topic not in self.topics:
            return False
        if self.may_see_all():
            return True
        if topic == ALL:
            return False
        return topic == user_topic(self.account) or self.account in parties

    def may_see(self, event_topics: Collection[str]) -> bool:
        """Whether an event may be delivered: checked anew for each, as streams change hands."""
        return not event_topics or self.may_see_all() or user_topic(self.account) in event_topics


ANYONE = Principal("", frozenset(Scope))
"""Everybody in AUTH_MODE=open: anyone may do and see anything, as any party."""


def unauthorized(detail: str) -> Problem:
    """401; final for a native EventSource by design: the page has to log in again."""
    headers = {"WWW-Authenticate": 'Bearer realm="headrace"'}
    return Problem(401, Slug.UNAUTHORIZED, detail, headers=headers)


def forbidden(detail: str, errors: Sequence[Mapping[str, str]] = ()) -> Problem:
    """403: the token is good, but not for this."""
    return Problem(403, Slug.FORBIDDEN, detail, errors=errors)


def token_of(request: web.Request) -> str | None:
    """The token of a request: header, else query, else cookie. Raises 401 on another scheme.

    Each is an explicit wish that outweighs the next: a cookie is sent without being asked for.
    """
    if header := request.headers.get("Authorization"):
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise unauthorized("Authorization: expected `Bearer <token>`")
        return token.strip()
    return request.query.get("access_token") or request.cookies.get(COOKIE)


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


def principal_of(claims: Mapping[str, Any]) -> Principal:
    """Claims as a principal. Raises jwt.InvalidTokenError on claims of the wrong shape."""
    scope, topics = claims.get("scope", ""), claims.get("topics")
    if not isinstance(claims["sub"], str) or not claims["sub"] or not isinstance(scope, str):
        raise jwt.InvalidTokenError("sub and scope must be strings, and sub not empty")
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
