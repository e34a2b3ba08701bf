"""The accounts and contracts of the simulated network. All keys are derived from names."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

from stellar_sdk import Asset, Keypair, StrKey

from deploy.simulator.settings import SimulatorSettings

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank")
"""The senders and recipients of the scripted streams."""

ADMIN, TREASURY, SPONSOR = "admin", "treasury", "sponsor"
"""The owner of the stream contract, the recipient of its fees, and the payer of fee bumps."""

ALL_NAMES = (*NAMES, ADMIN, TREASURY, SPONSOR)


@lru_cache(maxsize=256)
def keypair(name: str) -> Keypair:
    """The key pair of `name`. Its seed is the SHA-256 of the name."""
    return Keypair.from_raw_ed25519_seed(sha256(name.encode()).digest())


@lru_cache(maxsize=256)
def address(party: str) -> str:
    """The address of a name. If `party` is an address (G…, C…, M…), returns it unchanged.

    Raises ValueError if `party` is neither a known name nor an address.
    """
    if party in ALL_NAMES:
        return keypair(party).public_key
    checks = (
        StrKey.is_valid_ed25519_public_key,
        StrKey.is_valid_contract,
        StrKey.is_valid_med25519_public_key,
    )
    if any(check(party) for check in checks):
        return party
    raise ValueError(f"{party!r} is no address and none of {', '.join(ALL_NAMES)}")


@lru_cache(maxsize=256)
def signer(party: str) -> Keypair:
    """The key pair that signs for `party`: its own if its name is known, else the sponsor's."""
    return keypair(name_of(address(party)) or SPONSOR)


def name_of(account: str) -> str | None:
    """The name of an account; None if it is none of the simulated accounts."""
    return next((name for name in ALL_NAMES if address(name) == account), None)


@lru_cache(maxsize=64)
def contract_id(name: str) -> str:
    """The address of the contract with this name. Its id is the SHA-256 of `contract:<name>`."""
    return StrKey.encode_contract(sha256(f"contract:{name}".encode()).digest())


STREAMS = contract_id("streams")
ROUTER = contract_id("router")
STRANGER = contract_id("stranger")
"""The stream contract, a router that batches calls, and an unrelated contract."""

USDC = Asset("USDC", address(ADMIN))
_PASSPHRASE = SimulatorSettings().network_passphrase
TOKEN = USDC.contract_id(_PASSPHRASE)
LUMENS = Asset.native().contract_id(_PASSPHRASE)
"""The usual token of the streams, and lumens. Both are contracts of assets, proved by the address.

The addresses belong to the default passphrase. With another passphrase they prove nothing.
"""

ASSETS = {TOKEN: USDC}
"""The assets that need a trustline, by the address of their contract."""

GOLD, SILENT, IMPOSTOR, HOSTILE = map(contract_id, ("gold", "silent", "impostor", "hostile"))
"""Other tokens: an honest one, one without metadata, and two that try to deceive."""

TOKENS = {
    "usdc": TOKEN,
    "xlm": LUMENS,
    "gold": GOLD,
    "silent": SILENT,
    "impostor": IMPOSTOR,
    "hostile": HOSTILE,
}


def token(name: str) -> str:
    """The address of a token by its name; an address is returned unchanged. Raises ValueError."""
    if name in TOKENS:
        return TOKENS[name]
    if StrKey.is_valid_contract(name):
        return name
    raise ValueError(f"{name!r} is neither a contract address nor one of {', '.join(TOKENS)}")
