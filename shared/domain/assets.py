"""The address of the contract of a Stellar asset, computed from asset and network. Pure.

An asset is written as in SEP-11: `native`, or `CODE:ISSUER`. Nobody can choose the address of the
contract of an asset. So the address proves which asset a contract represents. Its name does not.

Source: CAP-46-06, "Stellar Asset Contract"; Stellar-transaction.x, HashIDPreimage.

See docs/decisions/0084-tokens-name-themselves.md.
"""

from __future__ import annotations

import re
from hashlib import sha256

from shared.domain.strkeys import ACCOUNT, CONTRACT, payload_of, strkey

NATIVE = "native"
"""The asset of the network itself: lumens on Stellar's public network."""

_CODE = re.compile(r"[A-Za-z0-9]{1,12}", re.ASCII)
_CONTRACT_ID = (8).to_bytes(4, "big")  # EnvelopeType
_FROM_ASSET = (1).to_bytes(4, "big")  # ContractIDPreimageType
_ED25519 = bytes(4)  # PublicKeyType


def asset_contract(asset: str, passphrase: str) -> str:
    """The address (C…) of the contract of an asset. Raises ValueError if it is not an asset."""
    network = sha256(passphrase.encode()).digest()
    preimage = _CONTRACT_ID + network + _FROM_ASSET + _xdr(asset)
    return strkey(CONTRACT, sha256(preimage).digest())


def is_asset_contract(address: str, asset: str, passphrase: str) -> bool:
    """True if `address` is the contract of the asset. False if `asset` is not an asset."""
    try:
        return asset_contract(asset, passphrase) == address
    except ValueError:
        return False


def _xdr(asset: str) -> bytes:
    """The XDR of an Asset. Codes of 1 to 4 characters have one type, longer codes another."""
    if asset == NATIVE:
        return bytes(4)
    code, _, issuer = asset.partition(":")
    if not _CODE.fullmatch(code):
        raise ValueError(f"{asset[:80]!r} is not an asset: expected native or CODE:ISSUER")
    kind, size = (1, 4) if len(code) <= 4 else (2, 12)
    raw = code.encode().ljust(size, b"\0")
    return kind.to_bytes(4, "big") + raw + _ED25519 + payload_of(ACCOUNT, issuer)
