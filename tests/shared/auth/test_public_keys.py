"""Which keys of a JWKS may check tokens."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from shared.auth.public_keys import RefusedKeyError, parse_key

PRIVATE = rsa.generate_private_key(65537, 2048)
RSA: dict[str, Any] = RSAAlgorithm.to_jwk(PRIVATE.public_key(), as_dict=True)
WEAK = rsa.generate_private_key(65537, 1024).public_key()
EC = ec.generate_private_key(ec.SECP256R1()).public_key()
ED = ed25519.Ed25519PrivateKey.generate().public_key()


@pytest.mark.parametrize(
    ("document", "algorithm"),
    [
        (RSA | {"use": "sig"}, "RS256"),
        (RSA | {"alg": "PS256"}, "PS256"),
        (ECAlgorithm.to_jwk(EC, as_dict=True), "ES256"),
        (OKPAlgorithm.to_jwk(ED, as_dict=True), "EdDSA"),
    ],
    ids=["RSA", "PSS", "EC", "Ed25519"],
)
def test_a_key_for_signatures_is_accepted(document: dict[str, Any], algorithm: str) -> None:
    assert parse_key(document).algorithm == algorithm


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "for encryption": (RSA | {"use": "enc"}, "use"),
    "for making signatures": (RSA | {"key_ops": ["sign"]}, "key_ops"),
    "for encryption by key_ops": (RSA | {"key_ops": ["encrypt", "wrapKey"]}, "key_ops"),
    "RSA of 1,024 bits": (RSAAlgorithm.to_jwk(WEAK, as_dict=True), "2048 bits"),
    "with its private key": (RSAAlgorithm.to_jwk(PRIVATE, as_dict=True), "secret"),
    "symmetric": ({"kty": "oct", "k": "c2VjcmV0" * 8, "alg": "HS256"}, "secret"),
    "of an unknown type": (RSA | {"kty": "XYZ"}, "cannot be read"),
    "without a number": ({"kty": "RSA", "e": "AQAB"}, "cannot be read"),
    "with an even exponent": (RSA | {"e": "AA"}, "cannot be read"),
    "with a list as its id": (RSA | {"kid": ["a"]}, "kid"),
    "with an object as its id": (RSA | {"kid": {}}, "kid"),
    "with a number as its id": (RSA | {"kid": 5}, "kid"),
    "with key_ops that are a number": (RSA | {"key_ops": 5}, "key_ops"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_another_key_is_refused_with_the_reason(kind: str) -> None:
    document, reason = REFUSED[kind]
    with pytest.raises(RefusedKeyError, match=reason):
        parse_key(document)
