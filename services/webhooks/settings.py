"""The dispatcher's settings."""

from __future__ import annotations

from pydantic import Field

from shared.archive.settings import ArchiveSettings
from shared.auth.settings import AccessSettings
from shared.journal.settings import JournalSettings
from shared.webhooks.settings import WebhookSettings


class DispatcherSettings(WebhookSettings, AccessSettings, ArchiveSettings, JournalSettings):
    """All settings of a dispatcher, read from environment variables."""

    webhook_seconds: float = Field(
        15.0, gt=0, description="seconds in which a receiver must answer a delivery"
    )
    webhook_connections: int = Field(
        500, ge=1, description="deliveries at the same time to receivers that answer in time"
    )
    webhook_slow_connections: int = Field(
        100, ge=1, description="deliveries at the same time to receivers that failed or were slow"
    )
    webhook_retry_days: float = Field(
        3.0, gt=0, description="days until a webhook that always fails is disabled"
    )
    webhook_lease_seconds: float = Field(
        10.0, gt=0.2, description="seconds until another dispatcher takes over from a dead one"
    )
