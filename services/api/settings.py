"""Settings of the API."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

from services.api.auth.settings import LoginSettings
from shared.auth.settings import CorsSettings
from shared.journal.settings import JournalSettings
from shared.runtime.config import http_url, split_list

HttpUrls = Annotated[
    tuple[Annotated[str, AfterValidator(http_url)], ...], NoDecode, BeforeValidator(split_list)
]


class ApiSettings(JournalSettings, LoginSettings, CorsSettings):
    """What the API reads."""

    fanout_urls: HttpUrls = Field(
        (),
        description="fanouts, comma-separated; /events/subscribe here redirects to one of them, "
        "/v1/system asks them all, /readyz compares their namespaces",
    )
    ready_urls: HttpUrls = Field(
        (),
        description="/readyz of other parts, comma-separated: this one's /readyz asks them too, "
        "and /v1/system their /metrics",
    )
    wait_replicas: int = Field(
        0,
        ge=0,
        description="replicas of Redis that must have a write before it is acknowledged; 503 when "
        "they are late",
    )
    max_body_bytes: int = Field(65536, ge=1, description="largest request body")


SETTINGS = web.AppKey("settings", ApiSettings)
