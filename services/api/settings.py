"""Settings of the API."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

from shared.settings import JournalSettings, http_url, split_list

ANY_ORIGIN = "*"


def _only_open(value: object) -> object:
    if value != "open":
        raise ValueError(
            f"{value!r} is not there yet: login comes in a later version, and until then only "
            "'open' is known (anyone may do and see anything, as any party)"
        )
    return value


def _origin(value: str) -> str:
    """Validate `scheme://host[:port]`, the form in which browsers send `Origin`."""
    if value == ANY_ORIGIN:
        return value
    parts = urlsplit(value)
    if value != f"{parts.scheme}://{parts.netloc}" or parts.scheme not in ("http", "https"):
        raise ValueError(f"{value!r} is no origin: expected https://host, with :port if any, or *")
    return value.lower()


Urls = Annotated[
    tuple[Annotated[str, AfterValidator(http_url)], ...], NoDecode, BeforeValidator(split_list)
]
Origins = Annotated[
    tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(split_list)
]


class Settings(JournalSettings):
    """What the API reads."""

    auth_mode: Annotated[Literal["open"], BeforeValidator(_only_open)] = Field(
        "open", description="open = anyone may do and see anything, as any party"
    )
    fanout_urls: Urls = Field(
        (),
        description="fanouts, comma-separated; /events/subscribe here redirects to one of them",
    )
    ready_urls: Urls = Field(
        (),
        description="/readyz of other parts, comma-separated, that this one's /readyz also asks",
    )
    cors_origins: Origins = Field(
        (ANY_ORIGIN,),
        description="origins whose pages may call, comma-separated; * = any",
    )
    max_body_bytes: int = Field(65536, ge=1, description="largest request body")
