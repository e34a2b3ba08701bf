"""What the calls of login and keys answer, as models for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.api.models.responses import ResponseModel, Seconds
from shared.auth.principal import Scope


class TicketDocument(ResponseModel):
    """Good for one subscription, within `expiresIn` seconds: `?ticket=…`."""

    ticket: str
    expires_in: int


class ChallengeDocument(BaseModel):
    """A transaction to sign with the wallet's keys and send back; nobody submits it (SEP-10)."""

    model_config = ConfigDict(extra="forbid")

    transaction: Annotated[str, Field(description="base64 XDR of an envelope")]
    network_passphrase: str


class TokenDocument(ResponseModel):
    """A token: `Authorization: Bearer <token>`."""

    token: str
    expires_at: Seconds


class ApiKeyDocument(ResponseModel):
    """An API key, without what is secret of it."""

    id: str
    name: str
    scopes: list[Scope]
    account: str | None
    created_at: Seconds
    created_by: str
    expires_at: Seconds | None


class NewApiKeyDocument(ApiKeyDocument):
    """The same, with the key itself, which is shown here only."""

    key: str


class ApiKeyListDocument(ResponseModel):
    """All API keys."""

    items: list[ApiKeyDocument]
    next: None
