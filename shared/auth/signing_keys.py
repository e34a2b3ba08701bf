"""Private keys that sign tokens: Ed25519, with the algorithm EdDSA (RFC 8032, RFC 8037). Pure.

Only the API has a private key. To check tokens, the public key is enough.

See docs/decisions/0075-fanouts-have-no-secret-that-signs.md.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key
from jwt.algorithms import OKPAlgorithm

ALGORITHM = "EdDSA"

_NOT_BASE64 = re.compile(r"-----(BEGIN|END) PRIVATE KEY-----|\\n|\s")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, its key id, and the public key as a JWK (RFC 7517)."""

    private: Ed25519PrivateKey = field(repr=False)
    key_id: str
    document: Mapping[str, Any]


def parse_signing_keys(text: str) -> tuple[SigningKey, ...]:
    """The keys in `text`, which are separated by commas.

    A key is what `openssl genpkey -algorithm ed25519` prints (PEM, PKCS 8), or only its base64.
    Line breaks may be missing, or be a backslash and an n. Raises ValueError, whose message
    does not contain the key.
    """
    return tuple(_parse(part) for part in text.split(",") if part.strip())


def _parse(text: str) -> SigningKey:
    try:
        der = b64decode(_NOT_BASE64.sub("", text), validate=True)
        private = load_der_private_key(der, password=None)
    except (ValueError, TypeError):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise ValueError("expected what `openssl genpkey -algorithm ed25519` prints") from None
    public = OKPAlgorithm.to_jwk(private.public_key(), as_dict=True)
    key_id = thumbprint(public)
    return SigningKey(private, key_id, public | {"kid": key_id, "alg": ALGORITHM, "use": "sig"})


def thumbprint(public: Mapping[str, Any]) -> str:
    """The id of a key: SHA-256 of the required members of its JWK (RFC 7638, RFC 8037 2)."""
    members = {name: public[name] for name in ("crv", "kty", "x")}
    digest = hashlib.sha256(orjson.dumps(members, option=orjson.OPT_SORT_KEYS)).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")
