"""Accounts and contracts: whether a text is a Stellar address, by its checksum (SEP-23)."""

from __future__ import annotations

from functools import lru_cache

from stellar_sdk import StrKey


@lru_cache(maxsize=4096)
def is_account(text: str) -> bool:
    """Whether `text` can be a party of a stream: an account (G), a contract (C) or muxed (M)."""
    match text[:1]:
        case "G":
            return StrKey.is_valid_ed25519_public_key(text)
        case "M":
            return StrKey.is_valid_med25519_public_key(text)
        case "C":
            return StrKey.is_valid_contract(text)
    return False


@lru_cache(maxsize=4096)
def is_contract(text: str) -> bool:
    """Whether `text` is a contract's address (C…)."""
    return StrKey.is_valid_contract(text)
