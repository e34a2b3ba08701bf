"""The settings that the API and the dispatchers of webhooks have in common."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from shared.web.client_ip import Networks


class WebhookSettings(BaseSettings):
    """How secrets are stored, and which receivers are allowed."""

    webhook_secret_keys: SecretStr = Field(
        SecretStr(""),
        description="Fernet keys that encrypt the secrets of webhooks in Redis, comma-separated; "
        "the first one encrypts, all decrypt; empty = stored as they are",
    )
    webhook_allowed_networks: Networks = Field(
        (),
        description="networks that webhooks may reach although they are not public, "
        "comma-separated, such as 10.1.0.0/16; for this machine: 127.0.0.0/8,::1/128",
    )

    @field_validator("webhook_secret_keys")
    @classmethod
    def _keys(cls, value: SecretStr) -> SecretStr:
        from cryptography.fernet import Fernet  # noqa: PLC0415 - only those who use it load it

        for key in _split(value):
            try:
                Fernet(key)
            except ValueError:  # no key in the error
                raise ValueError("expected Fernet keys: 32 bytes in URL-safe base64") from None
        return value

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The keys as texts, the one that encrypts first."""
        return _split(self.webhook_secret_keys)


def _split(value: SecretStr) -> tuple[str, ...]:
    parts = (part.strip() for part in value.get_secret_value().split(","))
    return tuple(part for part in parts if part)
