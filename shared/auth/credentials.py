"""The token that a request carries, and the answers to a request that lacks one or its rights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiohttp import web

from shared.web.problems import Problem, Slug

COOKIE = "headrace_token"


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
