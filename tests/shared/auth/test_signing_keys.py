"""Private keys that sign tokens: the forms of JWT_PRIVATE_KEY, and the key id."""

from __future__ import annotations

import subprocess
from base64 import b64encode, urlsafe_b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.auth.signing_keys import parse_signing_keys
from tests.support.programs import needed

# RFC 8037 A.1 and A.3: a private key, and the thumbprint of its public key.
SEED = urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
PUBLIC = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"


def pem_of(private: object) -> str:
    assert isinstance(private, Ed25519PrivateKey)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


PEM = pem_of(Ed25519PrivateKey.from_private_bytes(SEED))
OTHER = pem_of(Ed25519PrivateKey.generate())


@pytest.mark.parametrize(
    "text",
    [
        PEM,
        PEM.replace("\n", "\\n"),
        PEM.replace("\n", " "),
        PEM.replace("\n", ""),
        PEM.splitlines()[1],
        f" {PEM.splitlines()[1]} ,",
    ],
    ids=["PEM", "escaped", "with spaces", "one line", "base64", "a list of one"],
)
def test_the_key_id_is_the_thumbprint_whatever_the_form(text: str) -> None:
    (key,) = parse_signing_keys(text)
    assert key.key_id == THUMBPRINT
    public = {"kty": "OKP", "crv": "Ed25519", "x": PUBLIC}
    assert key.document == public | {"kid": THUMBPRINT, "alg": "EdDSA", "use": "sig"}
    assert "private" not in repr(key)


def test_the_first_of_several_keys_comes_first() -> None:
    first, second = parse_signing_keys(f"{OTHER},{PEM}")
    assert (first.key_id == THUMBPRINT, second.key_id) == (False, THUMBPRINT)
    assert parse_signing_keys("") == ()


EC_KEY = generate_private_key(SECP256R1()).private_bytes(
    Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
)


@pytest.mark.parametrize(
    "text",
    [b64encode(SEED).decode(), b64encode(EC_KEY).decode(), PEM[:-40], "ÿ", PEM + "\0", f"{PEM},x"],
    ids=["a seed", "another curve", "cut", "no ASCII", "NUL", "a list with rubbish"],
)
def test_another_text_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="openssl genpkey -algorithm ed25519") as refused:
        parse_signing_keys(text)
    assert text[:20] not in str(refused.value)
    assert refused.value.__suppress_context__


@pytest.mark.io(cached=True)
def test_what_openssl_prints_is_a_key() -> None:
    command = [needed("openssl"), "genpkey", "-algorithm", "ed25519"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert len(parse_signing_keys(printed)) == 1
