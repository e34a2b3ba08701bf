"""Routes of login, tickets, API keys and revocations. Each /v1 path also exists without /v1."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

from aiohttp import web

from services.api.auth.api_keys import PREFIX, ApiKeys, token_id
from services.api.auth.authentication import credential_of, require_admin
from services.api.auth.guard import subject_of
from services.api.auth.schemas import ChallengeQuery, CreateApiKey, RevokeTokens, SignedChallenge
from services.api.auth.service import LoginService
from services.api.auth.tokens import MAX_TOKEN_SECONDS
from services.api.errors import FeatureDisabledError
from services.api.http.error_responses import problem_of
from services.api.http.request_keys import caller
from services.api.http.requests import (
    invalid,
    json_response,
    read_body,
    read_no_body,
    read_query,
    validated,
)
from services.api.settings import SETTINGS
from shared.auth.credentials import unauthorized
from shared.auth.principal import ANYONE
from shared.auth.public_keys import PublicKeys
from shared.auth.revocations import Revocation, RevocationStore
from shared.auth.tickets import TICKET_SECONDS, Tickets
from shared.redis.clock import RedisClock
from shared.web.problems import Problem, Slug, unavailable

LOGIN = web.AppKey("login", LoginService)
SESSIONS = web.AppKey("sessions", RevocationStore)
TICKETS = web.AppKey("tickets", Tickets)
API_KEYS = web.AppKey("api_keys", ApiKeys)
CLOCK = web.AppKey("clock", RedisClock)
PUBLIC_KEYS = web.AppKey("public_keys", PublicKeys)

Handler = Callable[[web.Request], Awaitable[web.Response]]

_FORM = "application/x-www-form-urlencoded"
_NOT_STORED = {"Cache-Control": "no-store"}  # required for responses with a token (RFC 6749 5.1)


def add_login_routes(app: web.Application) -> None:
    """Add all routes of this module."""
    app.router.add_get("/.well-known/stellar.toml", toml)
    app.router.add_get("/.well-known/jwks.json", jwks)
    for prefix in ("/v1", ""):
        app.router.add_get(f"{prefix}/auth", challenge)
        app.router.add_post(f"{prefix}/auth", token)
        app.router.add_delete(f"{prefix}/auth", logout)
        app.router.add_post(f"{prefix}/auth/logout", logout)
        app.router.add_post(f"{prefix}/auth/refresh", refresh)
        app.router.add_post(f"{prefix}/auth/revoke", revoke)
        app.router.add_post(f"{prefix}/events/ticket", ticket)
        app.router.add_post(f"{prefix}/keys", create_key)
        app.router.add_get(f"{prefix}/keys", list_keys)
        app.router.add_delete(f"{prefix}/keys/{{id}}", delete_key)


def for_wallets(handler: Handler) -> Handler:
    """Wrap a handler, so that its problems also have the field `error`, which wallets show."""

    @functools.wraps(handler)
    async def handle(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except Exception as error:
            if (problem := problem_of(error)) is None:
                raise
            problem.extra = {**problem.extra, "error": problem.detail}
            raise problem from error

    return handle


@for_wallets
async def challenge(request: web.Request) -> web.Response:
    """GET /v1/auth."""
    query, login = read_query(request, ChallengeQuery), request.app[LOGIN]
    home_domain = login.servers[0].home_domain
    if query.home_domain not in (None, home_domain):
        message = f"home_domain: this server serves {home_domain} only."
        raise Problem(400, Slug.MALFORMED, message)
    document = await login.challenge(
        query.account, memo=query.memo, client_domain=query.client_domain
    )
    return json_response(document, headers=_NOT_STORED)


@for_wallets
async def token(request: web.Request) -> web.Response:
    """POST /v1/auth, as JSON or as a form."""
    if request.content_type == _FORM:
        body = validated(SignedChallenge, await _form(request), "pointer")
    else:
        body = await read_body(request, SignedChallenge)
    issued = await request.app[LOGIN].token(body.transaction)
    return json_response(issued.document(), headers=_NOT_STORED)


async def _form(request: web.Request) -> dict[str, object]:
    try:
        return dict(await request.post())
    except (LookupError, ValueError) as error:  # unknown charset, or bytes that do not fit it
        raise Problem(400, Slug.MALFORMED, f"The form cannot be read: {error}.") from None


async def refresh(request: web.Request) -> web.Response:
    """POST /v1/auth/refresh."""
    await read_no_body(request)
    issued = await request.app[LOGIN].refresh(_bearer(request))
    return json_response(issued.document(), headers=_NOT_STORED)


async def logout(request: web.Request) -> web.Response:
    """POST /v1/auth/logout, DELETE /v1/auth."""
    await read_no_body(request)
    await request.app[LOGIN].logout(_bearer(request))
    return web.Response(status=204)


def _bearer(request: web.Request) -> str:
    credential = credential_of(request)
    if credential.startswith(PREFIX):
        raise unauthorized(
            "This call needs the token of a login, not an API key. "
            "An admin deletes an API key with DELETE /v1/keys/{id}."
        )
    return credential


async def ticket(request: web.Request) -> web.Response:
    """POST /v1/events/ticket: a ticket for one subscription, valid for 30 s."""
    await read_no_body(request)
    # In open mode the ticket has no token. So a client works in both modes.
    name = await request.app[TICKETS].issue(await bearer_token(request))
    return json_response({"ticket": name, "expiresIn": TICKET_SECONDS}, 201, _NOT_STORED)


async def bearer_token(request: web.Request) -> str:
    """The caller's token, for a fanout; "" in AUTH_MODE=open. Fanouts know no API keys.

    Raises FeatureDisabledError for an API key if this API signs no tokens.
    """
    principal = caller(request)
    if principal is ANYONE:
        return ""
    if not (credential := credential_of(request)).startswith(PREFIX):
        return credential
    return (await request.app[LOGIN].exchange(principal)).token


async def create_key(request: web.Request) -> web.Response:
    """POST /v1/keys. Only this response shows the secret of the key."""
    by = require_admin(request)
    body, now = await read_body(request, CreateApiKey), int(request.app[CLOCK]())
    if body.expires_at is not None and body.expires_at <= now:
        raise invalid([{"pointer": "/expiresAt", "detail": "must be in the future"}])
    key, secret = await request.app[API_KEYS].create(
        name=body.name,
        scopes=body.scopes,
        account=body.account or "",
        by=subject_of(by) or "anyone",
        now=now,
        expires=body.expires_at,
        max_amounts=body.max_amounts,
    )
    return json_response(key.document() | {"key": secret}, 201, _NOT_STORED)


async def list_keys(request: web.Request) -> web.Response:
    """GET /v1/keys."""
    require_admin(request)
    keys = await request.app[API_KEYS].all()
    return json_response(
        {"items": [key.document() for key in keys], "next": None}, headers=_NOT_STORED
    )


async def delete_key(request: web.Request) -> web.Response:
    """DELETE /v1/keys/{id}. The tokens and live connections of the key end too."""
    require_admin(request)
    key_id = request.match_info["id"]
    # Revoke first, then delete. If the process dies in between, no token of the key stays valid.
    await request.app[SESSIONS].revoke(
        Revocation(token_id=token_id(key_id)), seconds=MAX_TOKEN_SECONDS
    )
    if not await request.app[API_KEYS].delete(key_id):
        raise Problem(404, Slug.NOT_FOUND, f"There is no API key {key_id[:64]!r}.")
    return web.Response(status=204)


async def revoke(request: web.Request) -> web.Response:
    """POST /v1/auth/revoke."""
    require_admin(request)
    body = await read_body(request, RevokeTokens)
    revocation = (
        Revocation(token_id=body.jti)
        if body.jti
        else Revocation(account=body.account or "", before=request.app[CLOCK]())
    )
    await request.app[SESSIONS].revoke(revocation, seconds=MAX_TOKEN_SECONDS)
    return web.Response(status=204)


async def jwks(request: web.Request) -> web.Response:
    """/.well-known/jwks.json: all public keys that check tokens, also those from JWKS_URL.

    While JWKS_URL cannot be read, the set has the member `incomplete`. Fanouts then forget no key.
    """
    public_keys = request.app[PUBLIC_KEYS]
    keys = public_keys.documents()
    if not keys and request.app[SETTINGS].jwks_url:
        raise unavailable("The public keys at JWKS_URL cannot be read at the moment.")
    if not keys:
        raise FeatureDisabledError(
            "This API has no public keys, because JWT_PRIVATE_KEY and JWKS_URL are not set."
        )
    if public_keys.incomplete:
        return json_response({"keys": keys, "incomplete": True}, headers=_NOT_STORED)
    return json_response({"keys": keys}, headers={"Cache-Control": "public, max-age=60"})


async def toml(request: web.Request) -> web.Response:
    """/.well-known/stellar.toml."""
    return web.Response(text=request.app[LOGIN].toml(), content_type="text/plain")
