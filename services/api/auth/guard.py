"""The middleware before every handler: authentication, rate limits and the audit log.

In AUTH_MODE=required every route needs a token, except the routes that this module lists as open.
So a new route needs a token until somebody adds it to the list. `services.api.auth.permissions`
decides who may read or change a single stream.
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
from shared.domain.strkeys import account_of_login
from shared.redis.client import REDIS_UNAVAILABLE
from shared.redis.replication import NotReplicatedError
from shared.web.client_ip import client_address, limit_key_of
from shared.web.problems import Problem

log = structlog.get_logger()

AUTHENTICATOR = web.AppKey("authenticator", Authenticator)
RATE_LIMITS = web.AppKey("rate_limits", RateLimits)

# Fanouts read the public keys, and must get them even while Redis is away.
_UNLIMITED = frozenset({"/livez", "/readyz", "/metrics", "/.well-known/jwks.json"})
_LOGIN = frozenset({"/auth"})
_OPEN = _UNLIMITED | _LOGIN
_OPEN |= {"/", "/openapi.json", "/asyncapi.json", "/.well-known/stellar.toml", "/events/subscribe"}
_FILES = ("/docs", "/console", "/problems")
"""Files in memory. They are open, and not counted: a view of the console loads about 60 of them, so
a few people behind one address would soon get a page without its scripts."""
_ADMIN_ROUTES = frozenset({"/keys", "/keys/{id}", "/auth/revoke"})
_ADMIN_ROUTES |= {"/system/connections/{replica}/{id}"}


def route_of(request: web.Request) -> str:
    """The path template of the route without /v1; "" if no route matches."""
    resource = request.match_info.route.resource
    return (resource.canonical.removeprefix("/v1") or "/") if resource else ""


def address_of(request: web.Request, settings: LoginSettings) -> str:
    """The client's IP address."""
    forwarded = request.headers.getall("X-Forwarded-For", [])
    return client_address(request.remote, forwarded, settings.trusted_proxies)


def limited_address(request: web.Request, settings: LoginSettings) -> str:
    """The client's address in limits: an IPv4 address, or an IPv6 /64 network."""
    return limit_key_of(address_of(request, settings))


class Guard:
    """The middleware. It gets its services from the application of the request."""

    def __init__(self, settings: LoginSettings) -> None:
        self._settings = settings
        self._required = settings.auth_mode == "required"
        self._ip, self._subject, self._login = (
            RateLimitPolicy(name, settings.quota(name)) for name in ("ip", "subject", "login")
        )

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Call the handler. Raises Problem 401 without a valid token, 429 above a rate limit."""
        route = route_of(request)
        rejection: Problem | None = None
        try:
            if not (route in _OPEN or route.startswith(_FILES)):
                request[CALLER] = await request.app[AUTHENTICATOR].principal_of(request)
        except Problem as problem:
            # Raise the problem later, after the rate limits have counted the request. So requests
            # with guessed tokens count too.
            rejection = problem
        if route not in _UNLIMITED and not route.startswith(_FILES):
            states = await self._take(request, route)
            request[LIMIT_HEADERS] = rate_limit_headers(states)
            raise_if_exceeded(states)
        if rejection:
            raise rejection
        return await self._audited(request, handler, route)

    async def _take(self, request: web.Request, route: str) -> list[RateLimitState]:
        if not any(policy.quota for policy in (self._ip, self._subject, self._login)):
            return []
        bucket = limited_address(request, self._settings)
        quotas = [(self._ip, bucket)]
        if route in _LOGIN:
            quotas.append((self._login, bucket))
        if self._required and (subject := limited_subject(request.get(CALLER))):
            quotas.append((self._subject, subject))
        return await request.app[RATE_LIMITS].take(quotas)

    async def _audited(
        self, request: web.Request, handler: Handler, route: str
    ) -> web.StreamResponse:
        status = 500
        try:
            response = await handler(request)
            status = response.status
        except (Problem, web.HTTPException) as error:
            status = error.status
            raise
        except (*REDIS_UNAVAILABLE, NotReplicatedError):
            status = 503
            raise
        finally:
            if self._is_audited(request, route):
                self._audit(request, status)
        return response

    def _is_audited(self, request: web.Request, route: str) -> bool:
        """True if the route is for admins only, or if an admin changes something."""
        principal = request.get(CALLER)
        changes = request.method not in ("GET", "HEAD", "OPTIONS")
        by_admin = principal is not None and Scope.ADMIN in principal.scopes
        return route in _ADMIN_ROUTES or (self._required and by_admin and changes)

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
    """The name of a caller in logs: its account, else the id of its token."""
    return (principal.account or principal.token_id) if principal else ""


def limited_subject(principal: Principal | None) -> str:
    """The name of a caller in limits. All logins of an account count together."""
    return account_of_login(subject_of(principal))


def limited_client(request: web.Request, settings: LoginSettings) -> str:
    """The name of a caller in limits of an account. In open mode nobody has one: its address."""
    if settings.auth_mode == "open":
        return limited_address(request, settings)
    return limited_subject(request.get(CALLER))
