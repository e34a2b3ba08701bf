"""Who asks: from a request to a Principal, by token or API key, minus what was revoked."""

from __future__ import annotations

from aiohttp import web

from services.api.auth.api_keys import PREFIX, ApiKeys
from services.api.http.request_keys import caller
from shared.auth.credentials import forbidden, token_of, unauthorized
from shared.auth.principal import ANYONE, Principal, Scope
from shared.auth.revocations import Sessions
from shared.auth.verifier import Verifier
from shared.redis.clock import Clock

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def require(request: web.Request, scope: Scope) -> Principal:
    """Who asks, with a scope that this call needs. Raises Problem 403."""
    principal = caller(request)
    if not principal.has(scope):
        raise forbidden(f"this needs the scope {scope}")
    return principal


class Authenticator:
    """Checks what a request brings; `required` False lets everybody in as ANYONE."""

    def __init__(
        self,
        verifier: Verifier,
        sessions: Sessions,
        api_keys: ApiKeys,
        clock: Clock,
        *,
        required: bool,
    ) -> None:
        self._clock = clock
        self._verifier = verifier
        self._sessions = sessions
        self._api_keys = api_keys
        self._required = required

    async def of(self, request: web.Request) -> Principal:
        """The principal of a request. Raises Problem 401; 503 while keys cannot be read."""
        if not self._required:
            return ANYONE
        return await self.check(credential_of(request))

    async def check(self, credential: str) -> Principal:
        """The principal of a token or API key, whatever the mode. Raises Problem 401."""
        by_key = credential.startswith(PREFIX)
        check = self._by_key if by_key else self._verifier.verify
        principal = await check(credential)
        await self._sessions.check(principal, stored=by_key)
        return principal

    async def _by_key(self, credential: str) -> Principal:
        key = await self._api_keys.find(credential, self._clock())
        if key is None:
            raise unauthorized("the API key is not known, was ended, or is past its time")
        return key.principal()


def credential_of(request: web.Request) -> str:
    """The token or key that a request brings. Raises Problem 401 without one.

    A browser adds a cookie to what any page sends (CSRF), so a cookie reads but does not change;
    an API key lives for long, so it must not stand in a URL, which proxies and histories keep.
    """
    credential = token_of(request)
    by_header = "Authorization" in request.headers
    if not credential:
        raise unauthorized("log in: send a token as `Authorization: Bearer <token>`")
    if credential.startswith(PREFIX) and not by_header:
        raise unauthorized("an API key goes into the header Authorization, and nowhere else")
    by_cookie = not by_header and not request.query.get("access_token")
    if by_cookie and request.method not in _SAFE:
        raise unauthorized("a cookie may read, not change: send the token in Authorization")
    return credential
