"""Stellar addresses of accounts and contracts: strkeys, a text with a checksum (SEP-23). Pure.

stellar-sdk can do the same, but its import costs each process 20 MB of memory and 0.4 s.
"""

from __future__ import annotations

import binascii
from base64 import b32decode, b32encode
from functools import lru_cache

ACCOUNT, CONTRACT, MUXED, SEED = 6 << 3, 2 << 3, 12 << 3, 18 << 3
"""Version bytes: the index of the first letter (G, C, M, S) in the base32 alphabet, times 8."""

_SIZES = {ACCOUNT: 32, CONTRACT: 32, MUXED: 40, SEED: 32}
"""Bytes of the payload, by version byte."""


def strkey(version: int, payload: bytes) -> str:
    """Encode version byte, payload and their CRC-16 (XModem) in base32 without padding."""
    body = bytes((version,)) + payload
    checked = body + binascii.crc_hqx(body, 0).to_bytes(2, "little")
    return b32encode(checked).rstrip(b"=").decode()


def payload_of(version: int, text: str) -> bytes:
    """The payload of the strkey `text`. Raises ValueError if it is not a strkey of this version."""
    try:
        raw = b32decode(text + "=" * (-len(text) % 8))
    except ValueError:
        raw = b""
    payload = raw[1:-2]
    # Encode the payload again. This checks version and checksum, and rejects a text with other
    # characters that decodes to the same bytes.
    if len(payload) != _SIZES[version] or strkey(version, payload) != text:
        raise ValueError(f"{text[:80]!r} is not an address of the expected kind with a checksum")
    return payload


@lru_cache(maxsize=1 << 14)  # more than a fanout has connections
def account_of_login(subject: str) -> str:
    """The account (G…) whose keys signed a login for `subject`: G…, M…, or G… with a memo (G…:7).

    Another text is returned unchanged. Sources: SEP-10 "Token", SEP-23.
    """
    # The fanout calls this for each connection after a revocation, so look at the text first.
    if subject.startswith("M") and _is(MUXED, subject):
        return strkey(ACCOUNT, payload_of(MUXED, subject)[:32])
    account, memo, _ = subject.partition(":")
    return account if memo and is_public_key(account) else subject


@lru_cache(maxsize=4096)
def is_account(text: str) -> bool:
    """True if `text` can be a party of a stream: an account (G… or M…) or a contract (C…)."""
    return any(_is(version, text) for version in (ACCOUNT, CONTRACT, MUXED))


@lru_cache(maxsize=4096)
def is_contract(text: str) -> bool:
    """True if `text` is the address of a contract (C…)."""
    return _is(CONTRACT, text)


def is_public_key(text: str) -> bool:
    """True if `text` is the address of an account (G…), which is its public key."""
    return _is(ACCOUNT, text)


def is_secret_seed(text: str) -> bool:
    """True if `text` is the secret seed of a key pair (S…)."""
    return _is(SEED, text)


def _is(version: int, text: str) -> bool:
    try:
        payload_of(version, text)
    except ValueError:
        return False
    return True
