"""Settings about access: how tokens are checked, and which web pages may call a service."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode

from shared.journal.settings import CommonSettings
from shared.runtime.config import http_url, split_list
from shared.web.cors import ANY_ORIGIN


class AccessSettings(BaseSettings):
    """Whether a login is needed. All services that give events to somebody have this setting."""

    # Without this line, a class with two bases would use the configuration of BaseSettings.
    model_config = CommonSettings.model_config
    auth_mode: Literal["open", "required"] = Field(
        "open",
        description="open: no login, every client may read and change everything; "
        "required: a token is needed",
    )


class AuthSettings(AccessSettings):
    """How tokens are checked. The settings of the API and of the fanout derive from this class."""

    jwt_secret: SecretStr = Field(
        SecretStr(""), description="secret key of HS256 tokens, at least 32 bytes"
    )
    jwt_other_secret: SecretStr = Field(
        SecretStr(""),
        description="another secret key whose HS256 tokens are accepted, while JWT_SECRET is "
        "replaced; it signs nothing",
    )
    jwks_url: str = Field("", description="URL of the public keys that check tokens (JWKS)")
    jwt_algorithms: Annotated[tuple[str, ...], NoDecode] = Field(
        ("ES256", "EdDSA", "RS256"), description="signature algorithms accepted from the JWKS"
    )
    jwt_issuer: str = Field(
        "headrace", min_length=1, description="issuer that a token must name (claim `iss`)"
    )
    jwt_audience: str = Field(
        "headrace", min_length=1, description="audience that a token must name (claim `aud`)"
    )

    @property
    def jwt_secrets(self) -> tuple[str, ...]:
        """The secrets that check HS256 tokens. The first one, JWT_SECRET, signs."""
        secrets = (self.jwt_secret, self.jwt_other_secret) if self.jwt_secret else ()
        return tuple(each.get_secret_value() for each in secrets if each)

    @property
    def reads_keys(self) -> bool:
        """True if tokens are checked with the keys at JWKS_URL."""
        return self.auth_mode == "required" and bool(self.jwks_url)

    @field_validator("jwt_algorithms", mode="before")
    @classmethod
    def _split_algorithms(cls, value: object) -> object:
        return split_list(value)

    @field_validator("jwt_algorithms")
    @classmethod
    def _asymmetric(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        # HS… would use a public key as the secret, and a token with `none` has no signature.
        wrong = [a for a in value if not a.startswith(("RS", "PS", "ES", "EdDSA"))]
        if wrong or not value:
            raise ValueError(f"{', '.join(wrong) or 'none'}: expected RS…, PS…, ES… or EdDSA")
        return value

    @field_validator("jwt_secret", "jwt_other_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value().encode()) < 32:  # RFC 7518 3.2
            raise ValueError("shorter than 32 bytes; `openssl rand -hex 32` makes a secret")
        return value

    @field_validator("jwks_url")
    @classmethod
    def _http_url(cls, value: str) -> str:
        return http_url(value) if value else ""

    public_key_settings: ClassVar[tuple[str, ...]] = ("jwks_url",)
    """The settings that give public keys. A token is checked by them, or by JWT_SECRET."""

    @model_validator(mode="after")
    def _one_kind_of_key(self) -> Self:
        public = any(getattr(self, name) for name in self.public_key_settings)
        if self.auth_mode == "required" and bool(self.jwt_secret) == public:
            names = " or ".join(name.upper() for name in self.public_key_settings)
            wrong = "not both" if public else "to check tokens"
            raise ValueError(f"AUTH_MODE=required: set JWT_SECRET, or else {names}, {wrong}")
        if self.jwt_other_secret and not self.jwt_secret:
            raise ValueError("JWT_OTHER_SECRET needs JWT_SECRET")
        return self


def _origin(value: str) -> str:
    """Validate `scheme://host[:port]`, the form in which browsers send `Origin`."""
    if value == ANY_ORIGIN:
        return value
    parts = urlsplit(value)
    if value != f"{parts.scheme}://{parts.netloc}" or parts.scheme not in ("http", "https"):
        raise ValueError(
            f"{value!r} is not an origin: expected https://host, https://host:port or *"
        )
    return value.lower()


Origins = Annotated[
    tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(split_list)
]


class CorsSettings(AuthSettings):
    """Which web pages may call a service. The settings of API and fanout derive from this class."""

    cors_origins: Origins = Field(
        (ANY_ORIGIN,),
        description="origins whose pages may call this service, comma-separated; * = any. "
        "In AUTH_MODE=required the default allows none, and * is refused",
    )

    @model_validator(mode="after")
    def _no_wildcard_with_cookies(self) -> Self:
        named = "cors_origins" in self.model_fields_set and ANY_ORIGIN in self.cors_origins
        if named and self.auth_mode == "required":
            raise ValueError(
                "CORS_ORIGINS: with * any web page could act for a logged-in user; list the origins"
            )
        return self

    @property
    def origins(self) -> tuple[str, ...]:
        """The allowed origins. The default `*` allows none in AUTH_MODE=required."""
        any_page = ANY_ORIGIN in self.cors_origins
        return () if any_page and self.auth_mode == "required" else self.cors_origins
