"""A receiver that verifies with the package `svix`."""

from __future__ import annotations

from collections.abc import Mapping

from svix.webhooks import Webhook

from tests.webhooks.receivers.receiving import run


def verify(secret: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Raises WebhookVerificationError."""
    Webhook(secret).verify(body, dict(headers))


if __name__ == "__main__":
    run(verify)
