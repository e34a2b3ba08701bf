"""Authentication: finds the Principal of a request from its token or API key.

Revoked tokens and keys are rejected.
"""

from __future__ import annotations

from aiohttp import web

from services.api.auth.api_keys import PREFIX, ApiKeys
from services.api.errors import PermissionDeniedError
from services.api.http.request_keys import caller
from shared.auth.credentials import TokenPlace, token_of, unauthorized
from shared.auth.principal import ANYONE, Principal, Scope
from shared.auth.revocations import RevocationStore
from shared.auth.verifier import Verifier
from shared.redis.clock import Clock

_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def require_admin(request: web.Request) -> Principal:
    """Return the caller. Raises PermissionDeniedError if the caller is no admin of all topics."""
    principal = caller(request)
    if not principal.is_admin():
        raise PermissionDeniedError(
            f"This call needs the scope {Scope.ADMIN}, in a token without the claim `topics`."
        )
    return principal


class Authenticator:
    """Finds out who sent a request. If `required` is False, every caller is ANYONE."""

    def __init__(
        self,
        verifier: Verifier,
        sessions: RevocationStore,
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

    async def principal_of(self, request: web.Request) -> Principal:
        """The caller of a request. Raises Problem 401; Problem 503 while Redis cannot be read."""
        if not self._required:
            return ANYONE
        return await self.check(credential_of(request))

    async def check(self, credential: str) -> Principal:
        """The principal of a token or API key. Ignores `required`. Raises Problem 401."""
        is_key = credential.startswith(PREFIX)
        check = self._check_key if is_key else self._verifier.verify
        principal = await check(credential)
        await self._sessions.check(principal, stored=is_key)
        return principal

    async def _check_key(self, credential: str) -> Principal:
        key = await self._api_keys.find(credential, self._clock())
        if key is None:
            raise unauthorized("The API key is unknown, was deleted, or has expired.")
        return key.principal()


def credential_of(request: web.Request) -> str:
    """The token or API key of a request. Raises Problem 401 if there is none.

    A token in a cookie may only read. A browser adds the cookie also to requests that other sites
    make, so the cookie must not allow a change (CSRF). An API key must not be in a URL, because it
    is valid for a long time and proxies and browsers store URLs.
    """
    found = token_of(request)
    if found is None:
        raise unauthorized("Log in, and send the token as `Authorization: Bearer <token>`.")
    if found.text.startswith(PREFIX) and found.place is not TokenPlace.HEADER:
        raise unauthorized("Send the API key in the header Authorization, not elsewhere.")
    if found.place is TokenPlace.COOKIE and request.method not in _READING_METHODS:
        raise unauthorized(
            "A token in a cookie may only read. To change something, send the token in "
            "the header Authorization."
        )
    return found.text
