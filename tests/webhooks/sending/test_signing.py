"""Signatures: receivers written with two libraries verify them, with each valid secret."""

from __future__ import annotations

import time

import pytest
from cryptography.fernet import Fernet
from standardwebhooks import Webhook, WebhookVerificationError
from svix.webhooks import Webhook as SvixWebhook

from services.webhooks.sending.signing import NotSignedError, Signer
from shared.webhooks.endpoint import SealedSecret
from shared.webhooks.secrets import SecretBox, new_secret
from tests.webhooks.sending.samples import endpoint

OLD, NEW = new_secret(), new_secret()
BODY = '{"metadata":"é €"}'.encode()
URL = "https://shop.example/hook"


def headers(*secrets: SealedSecret, box: SecretBox | None = None) -> dict[str, str]:
    signer = Signer(box or SecretBox())
    return signer.headers(endpoint(URL, *secrets), "7-1", BODY, time.time())


@pytest.mark.parametrize("library", [Webhook, SvixWebhook])
@pytest.mark.parametrize("secret", [OLD, NEW], ids=["old", "new"])
def test_each_secret_that_has_not_expired_signs(
    library: type[Webhook | SvixWebhook], secret: str
) -> None:
    later = int(time.time()) + 60
    made = headers(SealedSecret(f"plain:{NEW}"), SealedSecret(f"plain:{OLD}", later))
    library(secret).verify(BODY, made)
    with pytest.raises(WebhookVerificationError):
        library(secret).verify(BODY + b" ", made)


def test_an_expired_secret_signs_nothing() -> None:
    made = headers(SealedSecret(f"plain:{NEW}"), SealedSecret(f"plain:{OLD}", int(time.time())))
    Webhook(NEW).verify(BODY, made)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(BODY, made)


def test_an_encrypted_secret_signs() -> None:
    box = SecretBox((Fernet.generate_key().decode(),))
    Webhook(NEW).verify(BODY, headers(SealedSecret(box.seal(NEW)), box=box))


def test_one_secret_that_can_be_read_is_enough() -> None:
    lost = SecretBox((Fernet.generate_key().decode(),)).seal(NEW)
    made = headers(SealedSecret(lost), SealedSecret(f"plain:{OLD}"))
    Webhook(OLD).verify(BODY, made)


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        (SealedSecret("fernet:gAAAA"), "WEBHOOK_SECRET_KEYS"),
        (SealedSecret("plain:whsec_%"), "damaged"),
        (SealedSecret(f"plain:{NEW}", 1), "expired"),
    ],
    ids=["another key", "damaged", "expired"],
)
def test_without_a_secret_the_reason_is_told(secret: SealedSecret, reason: str) -> None:
    with pytest.raises(NotSignedError, match=reason):
        headers(secret)
