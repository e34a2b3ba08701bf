"""Settings that the API and the fanout share: how tokens are checked, and which pages may call."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode

from shared.journal.settings import Common
from shared.runtime.config import http_url, split_list
from shared.web.cors import ANY_ORIGIN


class AuthSettings(BaseSettings):
    """How tokens are checked; part of the settings of the API and of the fanout."""

    model_config = Common.model_config  # else that of BaseSettings undoes it in a class of both
    auth_mode: Literal["open", "required"] = Field(
        "open",
        description="open: anyone may do and see anything, as any party; required: by token",
    )
    jwt_secret: SecretStr = Field(
        SecretStr(""), description="secret of HS256 tokens, at least 32 bytes"
    )
    jwks_url: str = Field(
        "", validate_default=True, description="where the public keys of tokens are (JWKS)"
    )
    jwt_algorithms: Annotated[tuple[str, ...], NoDecode] = Field(
        ("ES256", "EdDSA", "RS256"), description="algorithms that keys of the JWKS may have"
    )
    jwt_issuer: str = Field("headrace", min_length=1, description="`iss` that tokens must have")
    jwt_audience: str = Field("headrace", min_length=1, description="`aud` that tokens must have")

    @field_validator("jwt_algorithms", mode="before")
    @classmethod
    def _split_algorithms(cls, value: object) -> object:
        return split_list(value)

    @field_validator("jwt_algorithms")
    @classmethod
    def _asymmetric(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [a for a in value if not a.startswith(("RS", "PS", "ES", "EdDSA"))]
        if wrong or not value:
            raise ValueError(f"{wrong or 'none'}: expected RS…, PS…, ES… or EdDSA")
        return value

    @field_validator("jwt_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value().encode()) < 32:  # RFC 7518 3.2
            raise ValueError("is shorter than 32 bytes")
        return value

    @field_validator("jwks_url")
    @classmethod
    def _one_way_to_check(cls, value: str, info: ValidationInfo) -> str:
        required, secret = info.data.get("auth_mode") == "required", info.data.get("jwt_secret")
        if required and secret is not None and bool(secret) == bool(value):
            raise ValueError("AUTH_MODE=required needs one of JWT_SECRET and JWKS_URL")
        return http_url(value) if value else ""


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
