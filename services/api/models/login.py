"""Models of the responses about login and API keys, for OpenAPI."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.api.models.responses import Amount, ResponseModel, Seconds
from shared.auth.principal import Scope


class TicketDocument(ResponseModel):
    """A ticket for one subscription (`?ticket=…`), valid for `expiresIn` seconds."""

    ticket: str
    expires_in: int


class ChallengeDocument(BaseModel):
    """A transaction that the wallet signs and sends back. It never goes to the network (SEP-10)."""

    model_config = ConfigDict(extra="forbid")

    transaction: Annotated[str, Field(description="base64 XDR of an envelope")]
    network_passphrase: str


class TokenDocument(ResponseModel):
    """A token, to send as `Authorization: Bearer <token>`."""

    token: str
    expires_at: Seconds


class ApiKeyDocument(ResponseModel):
    """An API key without its secret."""

    id: str
    name: str
    scopes: list[Scope]
    account: str | None
    created_at: Seconds
    created_by: str
    expires_at: Seconds | None
    max_amounts: Annotated[
        dict[str, Amount] | None,
        Field(
            description="the most that one prepared transaction may take of each token; then other "
            "tokens are refused; null: no limit"
        ),
    ]


class NewApiKeyDocument(ApiKeyDocument):
    """A new API key with its secret. No other response shows the secret."""

    key: str


class ApiKeyListDocument(ResponseModel):
    """All API keys."""

    items: list[ApiKeyDocument]
    next: None
