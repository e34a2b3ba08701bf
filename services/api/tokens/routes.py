"""The route of tokens. The path exists with and without /v1."""

from __future__ import annotations

from aiohttp import web

from services.api.http.requests import json_response
from services.api.tokens.directory import TokenDirectory
from shared.domain.strkeys import is_contract
from shared.web.problems import Problem, Slug

TOKENS = web.AppKey("tokens", TokenDirectory)


def add_token_routes(app: web.Application) -> None:
    """Add the route of a token."""
    for prefix in ("/v1", ""):
        app.router.add_get(f"{prefix}/tokens/{{address}}", token)


async def token(request: web.Request) -> web.Response:
    """GET /v1/tokens/{address}.

    A caller who may read anything may read every token: its metadata is public on the chain.
    """
    address = request.match_info["address"]
    if not is_contract(address):
        message = f"{address[:64]!r} is not a contract address (C…) with a correct checksum."
        raise Problem(400, Slug.MALFORMED, message)
    return json_response(await request.app[TOKENS].get(address))
