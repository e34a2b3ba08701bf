"""Settings of logins and rate limits."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo
from pydantic import field_validator as check
from pydantic_settings import NoDecode

from shared.auth.settings import AuthSettings
from shared.auth.signing_keys import SigningKey, parse_signing_keys
from shared.domain.strkeys import is_secret_seed
from shared.runtime.config import http_url, split_list
from shared.web.client_ip import Networks

CHALLENGE_SECONDS = 900
"""Seconds in which a wallet must sign a challenge and send it back. SEP-10 recommends 900."""

ANY_DOMAIN = "*"
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?", re.ASCII)
_MAX_DOMAIN = 64 - len(" auth")  # the data entry `<domain> auth`: a name of at most 64 bytes


def _domain(value: str) -> str:
    value = value.lower()
    if value and (len(value) > _MAX_DOMAIN or not _DOMAIN.fullmatch(value)):
        raise ValueError(
            f"expected a host name of at most {_MAX_DOMAIN} characters, such as a.example"
        )
    return value


def _split(value: SecretStr) -> tuple[str, ...]:
    parts = (part.strip() for part in value.get_secret_value().split(","))
    return tuple(part for part in parts if part)


Domain = Annotated[str, AfterValidator(_domain)]
Domains = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list)]


class LoginSettings(AuthSettings):
    """Settings of logins and rate limits. The base class has the settings that check tokens."""

    public_key_settings: ClassVar = ("jwt_private_key", "jwks_url")
    jwt_private_key: SecretStr = Field(
        SecretStr(""),
        description="private keys (Ed25519) that sign tokens, comma-separated; the first one "
        "signs, all are published at /.well-known/jwks.json",
    )
    signing_seed: SecretStr = Field(
        SecretStr(""),
        description="secret seeds (S…) of the keys for logins (SEP-10), comma-separated; the "
        "first one signs, answers to all are accepted; empty = no login",
    )
    home_domain: Domain = Field(
        "localhost", min_length=1, description="domain that wallets log in to (SEP-10)"
    )
    web_auth_domain: Domain = Field(
        "", description="host and port of the login URL; default: HOME_DOMAIN"
    )
    client_domains: Domains = Field(
        (),
        description="domains of wallets that are accepted as client_domain in a login (SEP-10), "
        "comma-separated; * = all; empty = client_domain is ignored",
    )
    horizon_url: Annotated[str, AfterValidator(http_url)] = Field(
        "https://horizon-testnet.stellar.org",
        description="URL of the Horizon server; a login reads the signers of the account there",
    )
    login_seconds: int = Field(
        3600, ge=60, le=86_400, description="lifetime of a login token in seconds"
    )
    session_seconds: int = Field(
        86_400, ge=60, description="seconds after a login during which its token can be refreshed"
    )
    rate_limit_ip: int = Field(
        600,
        ge=0,
        description="requests a minute from one IP address (IPv6: /64 network), without files "
        "such as those of the console; 0 = no limit; "
        "in AUTH_MODE=open there is no limit unless you set this",
    )
    rate_limit_subject: int = Field(
        1200,
        ge=0,
        description="requests a minute by one account or API key; 0 = no limit",
    )
    rate_limit_login: int = Field(
        30,
        ge=0,
        description="login requests a minute from one IP address; 0 = no limit; "
        "in AUTH_MODE=open there is no limit unless you set this",
    )
    trusted_proxies: Networks = Field(
        (),
        description="networks (CIDR) of proxies whose X-Forwarded-For is trusted, comma-separated",
    )

    @check("jwt_private_key")
    @classmethod
    def _keys(cls, value: SecretStr) -> SecretStr:
        parse_signing_keys(value.get_secret_value())
        return value

    @check("signing_seed")
    @classmethod
    def _seed(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if not value:
            return value
        seeds = _split(value)
        if not seeds or not all(map(is_secret_seed, seeds)):  # do not put the seed into the error
            raise ValueError("expected a valid secret seed: S… with a correct checksum")
        if not any(info.data.get(name, "wrong") for name in ("jwt_private_key", "jwt_secret")):
            raise ValueError("needs JWT_PRIVATE_KEY or JWT_SECRET, which signs the login tokens")
        return value

    @property
    def signing_seeds(self) -> tuple[str, ...]:
        """The seeds of SIGNING_SEED. The first one signs."""
        return _split(self.signing_seed)

    @property
    def signing_keys(self) -> tuple[SigningKey, ...]:
        """The keys of JWT_PRIVATE_KEY. The first one signs."""
        return parse_signing_keys(self.jwt_private_key.get_secret_value())

    @property
    def login_host(self) -> str:
        """Host and port of the login URL."""
        return self.web_auth_domain or self.home_domain

    def quota(self, name: str) -> int:
        """Requests a minute; 0 = no limit. In AUTH_MODE=open the default is no limit."""
        field = f"rate_limit_{name}"
        applies = self.auth_mode == "required" or field in self.model_fields_set
        return int(getattr(self, field)) if applies else 0
