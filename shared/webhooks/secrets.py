"""Signing secrets, and how they are kept in Redis.

A secret is `whsec_` and the base64 of 32 random bytes (Standard Webhooks, "Symmetric"). With
WEBHOOK_SECRET_KEYS it is stored encrypted (Fernet: AES-128-CBC with HMAC-SHA256).

See docs/decisions/0131-secrets-of-webhooks-are-sealed-again.md.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from shared.domain.errors import HeadraceError

PREFIX = "whsec_"
_PLAIN = "plain:"
_SEALED = "fernet:"
_BYTES = 32


class SecretUnreadableError(HeadraceError):
    """A stored secret was encrypted with a key that WEBHOOK_SECRET_KEYS does not have."""


def new_secret() -> str:
    """A new random signing secret."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


class SecretBox:
    """Seals secrets with the first key, and opens those that were sealed with any of the keys.

    Without keys, secrets are stored as they are. Raises ValueError for a key that is no Fernet key.
    """

    def __init__(self, keys: Sequence[str] = ()) -> None:
        fernets = [Fernet(key) for key in keys]
        self._first = fernets[0] if keys else None
        self._fernet = MultiFernet(fernets) if keys else None

    def seal(self, secret: str) -> str:
        """The text that is stored."""
        if self._first is None:
            return _PLAIN + secret
        return _SEALED + self._first.encrypt(secret.encode()).decode()

    def reseal(self, sealed: str) -> str:
        """The same secret, sealed with the first key. Unchanged if it already is.

        Raises SecretUnreadableError.
        """
        return sealed if self._has_first_key(sealed) else self.seal(self.open(sealed))

    def _has_first_key(self, sealed: str) -> bool:
        try:
            return bool(self._first and self._first.decrypt(sealed.removeprefix(_SEALED)))
        except InvalidToken:
            return False

    def open(self, sealed: str) -> str:
        """The secret. Raises SecretUnreadableError."""
        if sealed.startswith(_PLAIN):
            return sealed.removeprefix(_PLAIN)
        try:
            if self._fernet is not None:
                return self._fernet.decrypt(sealed.removeprefix(_SEALED)).decode()
        except InvalidToken:
            pass
        raise SecretUnreadableError(
            "the secret of a webhook was encrypted with a key that is not in WEBHOOK_SECRET_KEYS: "
            "add that key, or rotate the secret"
        )
