"""CORS: which origins' pages may read an answer (WHATWG Fetch, "CORS protocol")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_settings import NoDecode

from shared.auth.settings import AuthSettings
from shared.runtime.config import split_list

ANY_ORIGIN = "*"

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": (
        "Authorization, Cache-Control, Content-Type, Idempotency-Key, If-Match, Last-Event-ID"
    ),
    "Access-Control-Max-Age": "600",
}
_EXPOSED = (
    "Allow",
    "Content-Disposition",
    "Date",
    "ETag",
    "Headrace-Gap",
    "Headrace-Next",
    "Headrace-Position",
    "Location",
    "Retry-After",
    "WWW-Authenticate",
)
"""All headers of our answers that a program reads; pages of other origins can read only these."""


def _origin(value: str) -> str:
    """Validate `scheme://host[:port]`, the form in which browsers send `Origin`."""
    if value == ANY_ORIGIN:
        return value
    parts = urlsplit(value)
    if value != f"{parts.scheme}://{parts.netloc}" or parts.scheme not in ("http", "https"):
        raise ValueError(f"{value!r} is no origin: expected https://host, with :port if any, or *")
    return value.lower()


Origins = Annotated[
    tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(split_list)
]


class CorsSettings(AuthSettings):
    """Whose pages are let in; part of the settings of the API and of the fanout."""

    cors_origins: Origins = Field(
        (ANY_ORIGIN,),
        description="origins whose pages may call, comma-separated; * = any; "
        "in AUTH_MODE=required none unless named",
    )

    @model_validator(mode="after")
    def _not_every_page_with_cookies(self) -> Self:
        named = "cors_origins" in self.model_fields_set and ANY_ORIGIN in self.cors_origins
        if named and self.auth_mode == "required":
            word = "CORS_ORIGINS: * would let any page act for whoever is logged in"
            raise ValueError(f"{word}; name the origins")
        return self

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins that are let in; the default stands for none where a login is needed."""
        any_page = ANY_ORIGIN in self.cors_origins
        return () if any_page and self.auth_mode == "required" else self.cors_origins


class Cors:
    """Answers by an allow-list of exact origins; `*` allows any, by name, so cookies work too."""

    def __init__(self, origins: Sequence[str], expose: Sequence[str] = ()) -> None:
        self._origins = frozenset(origins)
        self._exposed = {"Access-Control-Expose-Headers": ", ".join((*_EXPOSED, *expose))}

    def headers(self, request: web.Request) -> dict[str, str]:
        """The headers of an answer to this request; `Vary` always, so that caches keep apart."""
        origin = request.headers.get("Origin")
        if not origin or not (ANY_ORIGIN in self._origins or origin in self._origins):
            return {"Vary": "Origin"}
        return {
            "Vary": "Origin",
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
        }

    def middleware(self) -> Middleware:
        """Adds the headers to every answer and answers preflights itself."""

        @web.middleware
        async def cors(request: web.Request, handler: Handler) -> web.StreamResponse:
            headers = self.headers(request)
            if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
                return web.Response(status=204, headers=headers | _PREFLIGHT)
            response = await handler(request)
            if not response.prepared:
                varies = response.headers.getall("Vary", [])
                response.headers.update(headers | self._exposed)
                response.headers["Vary"] = ", ".join([headers["Vary"], *varies])
            return response

        return cors
