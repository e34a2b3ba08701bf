"""The guard before every handler: who asks, how often, and what an admin did.

Unless a route is open to all, it needs a token in AUTH_MODE=required: what nobody thought of is
closed. What the caller may do with this or that stream is said by `rights`.
"""

from __future__ import annotations

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from services.api.auth.authentication import Authenticator
from services.api.auth.settings import LoginSettings
from services.api.http.rate_limits import (
    RateLimitPolicy,
    RateLimits,
    RateLimitState,
    raise_if_exceeded,
    rate_limit_headers,
)
from services.api.http.request_keys import CALLER, LIMIT_HEADERS
from shared.auth.principal import Principal, Scope
from shared.redis.client import REDIS_UNAVAILABLE
from shared.redis.replication import NotReplicatedError
from shared.web.client_ip import bucket_of, client_address
from shared.web.problems import Problem

log = structlog.get_logger()

AUTHENTICATOR = web.AppKey("identity", Authenticator)
RATE_LIMITS = web.AppKey("limits", RateLimits)

_UNLIMITED = frozenset({"/livez", "/readyz", "/metrics"})
_LOGIN = frozenset({"/auth"})
_OPEN = _UNLIMITED | _LOGIN
_OPEN |= {"/", "/openapi.json", "/asyncapi.json", "/.well-known/stellar.toml", "/events/subscribe"}
_OPEN_BELOW = ("/docs", "/console", "/problems")
_ADMINS = frozenset({"/keys", "/keys/{id}", "/auth/revoke"})


def route_of(request: web.Request) -> str:
    """The route's template without /v1, "" where there is none."""
    resource = request.match_info.route.resource
    return (resource.canonical.removeprefix("/v1") or "/") if resource else ""


def address_of(request: web.Request, settings: LoginSettings) -> str:
    """The client's address."""
    forwarded = request.headers.getall("X-Forwarded-For", [])
    return client_address(request.remote, forwarded, settings.trusted_proxies)


class Guard:
    """The middleware, by the settings; what it needs beside stands in the application."""

    def __init__(self, settings: LoginSettings) -> None:
        self._settings = settings
        self._required = settings.auth_mode == "required"
        self._ip, self._subject, self._login = (
            RateLimitPolicy(name, settings.quota(name)) for name in ("ip", "subject", "login")
        )

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let in, or raise Problem 401, 403, 429."""
        route = route_of(request)
        refusal: Problem | None = None
        try:
            if not (route in _OPEN or route.startswith(_OPEN_BELOW)):
                request[CALLER] = await request.app[AUTHENTICATOR].of(request)
        except Problem as problem:
            refusal = problem  # counted first: guessing tokens is limited too
        if route not in _UNLIMITED:
            verdicts = await self._take(request, route)
            request[LIMIT_HEADERS] = rate_limit_headers(verdicts)
            raise_if_exceeded(verdicts)
        if refusal:
            raise refusal
        return await self._audited(request, handler, route)

    async def _take(self, request: web.Request, route: str) -> list[RateLimitState]:
        if not any(policy.quota for policy in (self._ip, self._subject, self._login)):
            return []
        bucket = bucket_of(address_of(request, self._settings))
        quotas = [(self._ip, bucket)]
        if route in _LOGIN:
            quotas.append((self._login, bucket))
        if self._required and (subject := subject_of(request.get(CALLER))):
            quotas.append((self._subject, subject))
        return await request.app[RATE_LIMITS].take(quotas)

    async def _audited(
        self, request: web.Request, handler: Handler, route: str
    ) -> web.StreamResponse:
        status = 500
        try:
            response = await handler(request)
            status = response.status
        except (Problem, web.HTTPException) as refusal:
            status = refusal.status
            raise
        except (*REDIS_UNAVAILABLE, NotReplicatedError):
            status = 503
            raise
        finally:
            if self._audits(request, route):
                self._audit(request, status)
        return response

    def _audits(self, request: web.Request, route: str) -> bool:
        """Calls that only an admin has, and what an admin changed in the place of others."""
        principal = request.get(CALLER)
        changes = request.method not in ("GET", "HEAD", "OPTIONS")
        by_admin = principal is not None and Scope.ADMIN in principal.scopes
        return route in _ADMINS or (self._required and by_admin and changes)

    def _audit(self, request: web.Request, status: int) -> None:
        log.info(
            "audit",
            method=request.method,
            path=request.path,
            status=status,
            by=subject_of(request.get(CALLER)) or "anyone",
            token_id=principal.token_id if (principal := request.get(CALLER)) else "",
            address=address_of(request, self._settings),
        )


def subject_of(principal: Principal | None) -> str:
    """The name by which somebody is counted and logged: an account, else the token's id."""
    return (principal.account or principal.token_id) if principal else ""
