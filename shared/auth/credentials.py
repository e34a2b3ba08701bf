"""The token of a request, and the problems for a missing token or a missing permission."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from aiohttp import web

from shared.web.problems import Problem, Slug

COOKIE = "headrace_token"


def unauthorized(detail: str) -> Problem:
    """Problem 401. A native EventSource does not reconnect after it: the page must log in again."""
    headers = {"WWW-Authenticate": 'Bearer realm="headrace"'}
    return Problem(401, Slug.UNAUTHORIZED, detail, headers=headers)


def forbidden(detail: str, errors: Sequence[Mapping[str, str]] = ()) -> Problem:
    """Problem 403: the token is valid but does not allow this request."""
    return Problem(403, Slug.FORBIDDEN, detail, errors=errors)


class TokenPlace(StrEnum):
    """Where a request has its token."""

    HEADER = "header"
    QUERY = "query"
    COOKIE = "cookie"


class FoundToken(NamedTuple):
    """The token of a request, and where it was."""

    text: str
    place: TokenPlace


def token_of(
    request: web.Request, parameters: Sequence[str] = ("access_token",)
) -> FoundToken | None:
    """The token of a request: from the header, else one of these parameters, else the cookie.

    The cookie comes last because browsers send it unasked. An empty header or parameter counts as
    none, so it does not change the place of the token. Raises Problem 401 if the header is not
    `Bearer <token>`.
    """
    if header := request.headers.get("Authorization"):
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise unauthorized("Authorization: expected `Bearer <token>`.")
        return FoundToken(token.strip(), TokenPlace.HEADER)
    for name in parameters:
        if token := request.query.get(name, ""):
            return FoundToken(token, TokenPlace.QUERY)
    if token := request.cookies.get(COOKIE, ""):
        return FoundToken(token, TokenPlace.COOKIE)
    return None
