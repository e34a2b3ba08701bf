"""Signs deliveries as Standard Webhooks says: https://www.standardwebhooks.com.

The package `standardwebhooks` computes the signatures. A delivery has one signature for each secret
that has not expired, so a receiver can change to a new secret while both are valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from shared.webhooks.endpoint import Endpoint, SealedSecret
from shared.webhooks.secrets import SecretBox, SecretUnreadableError

_KEPT_SIGNERS = 4_096
"""Opening a secret takes longer than signing. The least used are forgotten."""


class NotSignedError(Exception):
    """No secret of the endpoint can sign. The text says why, and what to do."""


class Signer:
    """Signs with the secrets of endpoints, which `box` opens."""

    def __init__(self, box: SecretBox) -> None:
        self._box = box
        self._webhook = lru_cache(_KEPT_SIGNERS)(self._opened)

    def _opened(self, sealed: str) -> Webhook:
        return Webhook(self._box.open(sealed))

    def headers(
        self, endpoint: Endpoint, message_id: str, body: bytes, now: float
    ) -> dict[str, str]:
        """The three headers of Standard Webhooks. `now` is in Unix seconds.

        Raises NotSignedError. One readable secret is enough: the receiver knows all of them.
        """
        at, shown = _times(int(now))
        text, signers = body.decode(), self._signers(endpoint.secrets, now)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": shown,
            "webhook-signature": " ".join(each.sign(message_id, at, text) for each in signers),
        }

    def _signers(self, secrets: Sequence[SealedSecret], now: float) -> list[Webhook]:
        found, reason = [], "all secrets of the webhook have expired: rotate the secret"
        for each in secrets:
            if not each.signs(now):
                continue
            try:
                found.append(self._webhook(each.sealed))
            except SecretUnreadableError as error:
                reason = str(error)
            except (ValueError, EmptyWebhookSecretError):
                reason = "the secret of the webhook is damaged: rotate the secret"
        if not found:
            raise NotSignedError(reason)
        return found


@lru_cache(maxsize=2)
def _times(seconds: int) -> tuple[datetime, str]:
    """Unix seconds as standardwebhooks wants them, and as a header."""
    return datetime.fromtimestamp(seconds, UTC), str(seconds)
