"""Settings of login and protection: whose word counts, for how long, and how often one may ask."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo
from pydantic import field_validator as check
from pydantic_settings import NoDecode

from shared.auth.settings import AuthSettings
from shared.domain.strkeys import is_secret_seed
from shared.runtime.config import http_url, split_list
from shared.web.client_ip import Networks

ANY_DOMAIN = "*"
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?", re.ASCII)
_LONGEST = 64 - len(" auth")  # a data entry's name on Stellar has 64 bytes (SEP-10)


def _domain(value: str) -> str:
    value = value.lower()
    if value and (len(value) > _LONGEST or not _DOMAIN.fullmatch(value)):
        raise ValueError(
            f"expected a host name of at most {_LONGEST} characters, such as a.example"
        )
    return value


Domain = Annotated[str, AfterValidator(_domain)]
Domains = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list)]


class LoginSettings(AuthSettings):
    """What the API reads beside how tokens are checked."""

    signing_seed: SecretStr = Field(
        SecretStr(""),
        description="secret seed (S…) of the key that signs wallet logins (SEP-10); empty = none",
    )
    home_domain: Domain = Field(
        "localhost", min_length=1, description="domain that wallets log in to (SEP-10)"
    )
    web_auth_domain: Domain = Field(
        "", description="host, with port if any, of the login's URL; by default HOME_DOMAIN"
    )
    client_domains: Domains = Field(
        (),
        description="domains of wallets that may sign logins too (SEP-10), comma-separated, or *",
    )
    horizon_url: Annotated[str, AfterValidator(http_url)] = Field(
        "https://horizon-testnet.stellar.org",
        description="Horizon, asked for the signers of an account that logs in",
    )
    login_seconds: int = Field(
        3600, ge=60, le=86_400, description="seconds that a login's token is good for"
    )
    session_seconds: int = Field(
        86_400, ge=60, description="seconds after a login in which its token can be refreshed"
    )
    rate_limit_ip: int = Field(
        600,
        ge=0,
        description="requests a minute from one address (IPv6: /64); 0 = any number; "
        "in AUTH_MODE=open only when set",
    )
    rate_limit_subject: int = Field(
        1200,
        ge=0,
        description="requests a minute by one account or API key; 0 = any number",
    )
    rate_limit_login: int = Field(
        30,
        ge=0,
        description="calls of login a minute from one address; 0 = any number; "
        "in AUTH_MODE=open only when set",
    )
    trusted_proxies: Networks = Field(
        (),
        description="networks (CIDR), comma-separated, whose X-Forwarded-For is believed",
    )

    @check("signing_seed")
    @classmethod
    def _seed(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if not value:
            return value
        if not is_secret_seed(value.get_secret_value()):  # the error must not repeat it
            raise ValueError("is no secret seed: expected S… with its checksum")
        if not info.data.get("jwt_secret", "wrong"):
            raise ValueError("needs JWT_SECRET, by which the tokens of a login are signed")
        return value

    @property
    def login_host(self) -> str:
        """Host and port of the login's URL."""
        return self.web_auth_domain or self.home_domain

    def quota(self, name: str) -> int:
        """Requests a minute under a limit, 0 for any number; open mode has those that were set."""
        field = f"rate_limit_{name}"
        counts = self.auth_mode == "required" or field in self.model_fields_set
        return int(getattr(self, field)) if counts else 0
