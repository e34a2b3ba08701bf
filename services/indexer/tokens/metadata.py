"""The metadata of a token (symbol, name, decimals), from its contract's instance entry. Pure.

The contracts of Stellar assets and those made with soroban-token-sdk store a map under the symbol
`METADATA`: `decimal`, `name`, `symbol`. Contracts made with OpenZeppelin's library store it under
`[Meta]`, and call the first field `decimals`. Other contracts do not store these values here. To
get their values, one would have to run their code.

Strangers choose these values. A value of another type, or one that cannot be shown, is ignored.

See docs/decisions/0084-tokens-name-themselves.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.chain.xdr import ContractInstance, ScVal, Symbol, XdrError
from shared.chain.xdr.entries import contract_data
from shared.domain.assets import is_asset_contract
from shared.domain.tokens import MAX_DECIMALS, MAX_NAME, MAX_SYMBOL, TokenInfo, readable_text

Fields = Mapping[ScVal, ScVal]
_NOTHING: Fields = {}


def token_info(entry: bytes, address: str, passphrase: str, now: int) -> TokenInfo:
    """Read the metadata of a token.

    `entry`: the XDR of a LedgerEntryData with the instance of the contract `address` (C…).
    `passphrase`: that of the network, to prove the asset. `now`: the time of the read, in Unix
    seconds.
    """
    fields = _metadata(entry)
    name = _text(fields.get("name"), MAX_NAME)
    return TokenInfo(
        symbol=_text(fields.get("symbol"), MAX_SYMBOL),
        name=name,
        decimals=_decimals(fields.get("decimal", fields.get("decimals"))),
        asset=name if name and is_asset_contract(address, name, passphrase) else None,
        read_at=now,
    )


def _metadata(entry: bytes) -> Fields:
    try:
        instance = contract_data(entry).value
    except XdrError:
        return _NOTHING
    if not isinstance(instance, ContractInstance):
        return _NOTHING
    for key, value in instance.pairs():
        if _is_metadata(key) and isinstance(value, dict):
            return value
    return _NOTHING


def _is_metadata(key: ScVal) -> bool:
    match key:
        case Symbol("METADATA") | [Symbol("Meta")]:
            return True
    return False


def _text(value: ScVal, most: int) -> str | None:
    if type(value) not in (str, Symbol):  # not isinstance: an Address is also a str
        return None
    return readable_text(str(value), most)


def _decimals(value: ScVal) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= MAX_DECIMALS else None
