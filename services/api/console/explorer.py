"""The block explorer that the console links to. Pure.

The console shows links only for a network that the explorer knows. A simulated network has none.

See docs/decisions/0109-views-load-when-they-are-opened.md.
"""

from __future__ import annotations

_DEFAULTS = {
    "Public Global Stellar Network ; September 2015": "https://stellar.expert/explorer/public",
    "Test SDF Network ; September 2015": "https://stellar.expert/explorer/testnet",
}


def explorer_url(setting: str, network_passphrase: str) -> str | None:
    """The URL before /ledger/…, /tx/…, /account/… and /contract/…; None for no links.

    `setting` is the value of EXPLORER_URL. `off` means no links. If it is empty, the network
    decides.
    """
    if setting == "off":
        return None
    return setting or _DEFAULTS.get(network_passphrase)
