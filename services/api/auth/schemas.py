"""Request bodies and query parameters of login, API keys and revocations."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from services.api.http.fields import Account, Amount, Contract
from services.api.http.models import RequestBody
from shared.auth.principal import Scope


def _wallet(value: str) -> str:
    if value[:1] not in ("G", "M"):
        raise ValueError("must be a G… or M… account; contracts (C…) cannot log in (no SEP-45)")
    return value


class ChallengeQuery(BaseModel):
    """GET /auth (SEP-10 "Challenge"). Unknown parameters are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    account: Annotated[Account, AfterValidator(_wallet)]
    # SEP-10 allows the memo 0, but stellar-sdk would leave it out of the challenge. So reject 0.
    memo: Annotated[int, Field(ge=1, lt=1 << 64)] | None = None
    home_domain: Annotated[str, Field(max_length=64)] | None = None
    client_domain: Annotated[str, Field(max_length=255)] | None = None

    @model_validator(mode="after")
    def _one_user(self) -> ChallengeQuery:
        if self.memo is not None and self.account.startswith("M"):
            raise ValueError("memo: not allowed with an M… account, which already names its user")
        return self


class SignedChallenge(RequestBody):
    """POST /auth (SEP-10 "Token")."""

    transaction: Annotated[str, Field(min_length=1)]


class CreateApiKey(RequestBody):
    """POST /keys. A caller with the key acts as `account`. `expiresAt` is in Unix seconds.

    `maxAmounts` has the most base units of each token that one prepared transaction may take from
    its source. Then other tokens are refused.
    """

    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[Scope], Field(max_length=len(Scope))]
    account: Account | None = None
    expires_at: Annotated[int, Field(strict=True, ge=1, le=253_402_300_799)] | None = None
    max_amounts: Annotated[dict[Contract, Amount], Field(max_length=100)] | None = None


class RevokeTokens(RequestBody):
    """POST /auth/revoke: end all tokens of one login (`jti`), or all tokens of an `account`."""

    jti: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    account: Annotated[str, Field(min_length=1, max_length=255)] | None = None

    @model_validator(mode="after")
    def _one(self) -> RevokeTokens:
        if (self.jti is None) == (self.account is None):
            raise ValueError("give either jti or account")
        return self
