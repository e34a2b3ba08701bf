"""Routes of login, tickets, API keys and revocations; each answers with and without /v1."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

from aiohttp import web

from services.api.auth.api_keys import PREFIX, ApiKeys, token_id
from services.api.auth.authentication import credential_of, require
from services.api.auth.guard import subject_of
from services.api.auth.schemas import ChallengeQuery, CreateApiKey, RevokeTokens, SignedChallenge
from services.api.auth.service import LoginService
from services.api.auth.tokens import MAX_TOKEN_SECONDS
from services.api.http.request_keys import caller
from services.api.http.requests import json_response, read_body, read_no_body, read_query, validated
from shared.auth.credentials import unauthorized
from shared.auth.principal import ANYONE, Scope
from shared.auth.revocations import Revocation, Sessions
from shared.auth.tickets import TICKET_SECONDS, Tickets
from shared.redis.clock import RedisClock
from shared.web.problems import Problem, Slug

LOGIN = web.AppKey("login", LoginService)
SESSIONS = web.AppKey("sessions", Sessions)
TICKETS = web.AppKey("tickets", Tickets)
API_KEYS = web.AppKey("api_keys", ApiKeys)
CLOCK = web.AppKey("clock", RedisClock)

Handler = Callable[[web.Request], Awaitable[web.Response]]

_FORM = "application/x-www-form-urlencoded"
_SECRET = {"Cache-Control": "no-store"}  # RFC 6749 5.1 asks it of every answer with a token


def add_login_routes(app: web.Application) -> None:
    """All routes of this module."""
    app.router.add_get("/.well-known/stellar.toml", toml)
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
    """Adds `error` to problems, where SEP-10 clients look for the sentence."""

    @functools.wraps(handler)
    async def handle(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except Problem as problem:
            problem.extra = {**problem.extra, "error": problem.detail}
            raise

    return handle


@for_wallets
async def challenge(request: web.Request) -> web.Response:
    """GET /v1/auth."""
    query, login = read_query(request, ChallengeQuery), request.app[LOGIN]
    served = login.server.home_domain
    if query.home_domain not in (None, served):
        word = f"home_domain: this server logs in for {served} only"
        raise Problem(400, Slug.MALFORMED, word)
    document = await login.challenge(
        query.account, memo=query.memo, client_domain=query.client_domain
    )
    return json_response(document, headers=_SECRET)


@for_wallets
async def token(request: web.Request) -> web.Response:
    """POST /v1/auth, as JSON or as a form."""
    if request.content_type == _FORM:
        body = validated(SignedChallenge, await _form(request), "pointer")
    else:
        body = await read_body(request, SignedChallenge)
    issued = await request.app[LOGIN].token(body.transaction)
    return json_response(issued.document(), headers=_SECRET)


async def _form(request: web.Request) -> dict[str, object]:
    try:
        return dict(await request.post())
    except (LookupError, ValueError) as error:  # a charset that is none, or bytes not of it
        raise Problem(400, Slug.MALFORMED, f"the form cannot be read: {error}") from None


async def refresh(request: web.Request) -> web.Response:
    """POST /v1/auth/refresh."""
    await read_no_body(request)
    issued = await request.app[LOGIN].refresh(_bearer(request))
    return json_response(issued.document(), headers=_SECRET)


async def logout(request: web.Request) -> web.Response:
    """POST /v1/auth/logout, DELETE /v1/auth."""
    await read_no_body(request)
    await request.app[LOGIN].logout(_bearer(request))
    return web.Response(status=204)


def _bearer(request: web.Request) -> str:
    credential = credential_of(request)
    if credential.startswith(PREFIX):
        raise unauthorized("an API key is no login: an admin ends it (DELETE /v1/keys/{id})")
    return credential


async def ticket(request: web.Request) -> web.Response:
    """POST /v1/events/ticket: for one subscription that is made within 30 s."""
    await read_no_body(request)
    principal = caller(request)
    if principal is ANYONE:
        stands_for = ""  # so that a client is written once for both modes
    elif (stands_for := credential_of(request)).startswith(PREFIX):
        stands_for = request.app[LOGIN].exchange(principal).token
    name = await request.app[TICKETS].issue(stands_for)
    return json_response({"ticket": name, "expiresIn": TICKET_SECONDS}, 201, _SECRET)


async def create_key(request: web.Request) -> web.Response:
    """POST /v1/keys; the only answer that shows the key."""
    by = require(request, Scope.ADMIN)
    order, now = await read_body(request, CreateApiKey), int(request.app[CLOCK]())
    if order.expires_at is not None and order.expires_at <= now:
        errors = [{"pointer": "/expiresAt", "detail": "must lie ahead"}]
        raise Problem(422, Slug.INVALID, "1 field(s) to mend", errors=errors)
    key, secret = await request.app[API_KEYS].create(
        name=order.name,
        scopes=order.scopes,
        account=order.account or "",
        by=subject_of(by) or "anyone",
        now=now,
        expires=order.expires_at,
    )
    return json_response(key.document() | {"key": secret}, 201, _SECRET)


async def list_keys(request: web.Request) -> web.Response:
    """GET /v1/keys."""
    require(request, Scope.ADMIN)
    keys = await request.app[API_KEYS].all()
    return json_response({"items": [key.document() for key in keys], "next": None}, headers=_SECRET)


async def delete_key(request: web.Request) -> web.Response:
    """DELETE /v1/keys/{id}; its tokens and live connections end too."""
    require(request, Scope.ADMIN)
    key_id = request.match_info["id"]
    # Revoked first: should we die in between, nothing that the key was exchanged for lives on.
    await request.app[SESSIONS].revoke(
        Revocation(token_id=token_id(key_id)), seconds=MAX_TOKEN_SECONDS
    )
    if not await request.app[API_KEYS].delete(key_id):
        raise Problem(404, Slug.NOT_FOUND, f"there is no API key {key_id[:64]!r}")
    return web.Response(status=204)


async def revoke(request: web.Request) -> web.Response:
    """POST /v1/auth/revoke."""
    require(request, Scope.ADMIN)
    order = await read_body(request, RevokeTokens)
    revocation = (
        Revocation(token_id=order.jti)
        if order.jti
        else Revocation(account=order.account or "", before=request.app[CLOCK]())
    )
    await request.app[SESSIONS].revoke(revocation, seconds=MAX_TOKEN_SECONDS)
    return web.Response(status=204)


async def toml(request: web.Request) -> web.Response:
    """/.well-known/stellar.toml."""
    return web.Response(text=request.app[LOGIN].toml(), content_type="text/plain")
