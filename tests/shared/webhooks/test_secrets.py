"""Signing secrets, and the keys that encrypt them."""

from __future__ import annotations

import base64

import pytest
from cryptography.fernet import Fernet
from standardwebhooks import Webhook

from shared.runtime.config import load
from shared.webhooks.secrets import PREFIX, SecretBox, SecretUnreadableError, new_secret
from shared.webhooks.settings import WebhookSettings

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_a_secret_is_one_of_standard_webhooks() -> None:
    secret = new_secret()
    assert secret.startswith(PREFIX)
    assert len(base64.b64decode(secret.removeprefix(PREFIX), validate=True)) == 32
    assert new_secret() != secret
    Webhook(secret)


def test_without_keys_a_secret_is_stored_as_it_is() -> None:
    secret = new_secret()
    sealed = SecretBox().seal(secret)
    assert secret in sealed
    assert SecretBox().open(sealed) == SecretBox([NEW]).open(sealed) == secret


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    secret = new_secret()
    sealed = SecretBox([OLD]).seal(secret)
    assert secret.removeprefix(PREFIX) not in sealed
    both = SecretBox([NEW, OLD])
    assert both.open(sealed) == secret
    assert SecretBox([NEW]).open(both.seal(secret)) == secret
    assert SecretBox([OLD]).seal(secret) != sealed


def test_a_secret_is_sealed_again_only_if_it_lacks_the_first_key() -> None:
    secret, both = new_secret(), SecretBox([NEW, OLD])
    for older in (SecretBox(), SecretBox([OLD])):
        again = both.reseal(older.seal(secret))
        assert SecretBox([NEW]).open(again) == secret
        assert both.reseal(again) == again


@pytest.mark.parametrize("keys", [[], [NEW]])
def test_a_secret_of_another_key_cannot_be_read(keys: list[str]) -> None:
    sealed = SecretBox([OLD]).seal(new_secret())
    with pytest.raises(SecretUnreadableError, match="WEBHOOK_SECRET_KEYS"):
        SecretBox(keys).open(sealed)


def test_the_settings_have_several_keys_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET_KEYS", f"{NEW}, {OLD},")
    monkeypatch.setenv("WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8,::1/128")
    settings = WebhookSettings()
    assert settings.secret_keys == (NEW, OLD)
    assert [str(each) for each in settings.webhook_allowed_networks] == ["127.0.0.0/8", "::1/128"]
    assert NEW not in repr(settings)


def test_a_key_that_cannot_encrypt_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET_KEYS", "wrong-key")
    with pytest.raises(SystemExit):
        load(WebhookSettings)
    told = capsys.readouterr().err
    assert "WEBHOOK_SECRET_KEYS: expected Fernet keys" in told
    assert "wrong-key" not in told
