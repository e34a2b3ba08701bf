"""The instances of the tokens of the network, with the metadata of each."""

from __future__ import annotations

from collections.abc import Mapping

from stellar_sdk import xdr

from deploy.simulator.chain import accounts
from deploy.simulator.contracts.storage import asset_instance, silent_instance, token_instance
from deploy.simulator.contracts.stream_contract import ASSET

TOKEN_INSTANCES: Mapping[str, xdr.SCVal] = {
    accounts.TOKEN: asset_instance(ASSET),
    accounts.LUMENS: asset_instance("native"),
    accounts.GOLD: token_instance("GOLD", "Grams of gold", 2),
    accounts.SILENT: silent_instance(),
    # It has the name and the symbol of USDC, but not the address of its contract.
    accounts.IMPOSTOR: token_instance("USDC", ASSET, 7),
    # Its symbol is shown as USDC by a program that obeys U+202E, which reverses a text.
    accounts.HOSTILE: token_instance("\u202eCDSU", "<script>alert(1)</script>\n\0", 4_000_000_000),
}
"""By the address of each token."""
