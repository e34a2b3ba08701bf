"""Encode the ledger keys of a contract's storage, to ask RPC for the entries (getLedgerEntries).

This is the only XDR that the indexer encodes. A ledger key is the XDR of a LedgerKey.
"""

from struct import Struct

_CONTRACT_DATA = (6).to_bytes(4, "big")
_CONTRACT = (1).to_bytes(4, "big")
_PERSISTENT = (1).to_bytes(4, "big")
_INSTANCE = (20).to_bytes(4, "big")
_LIST_OF_TWO = Struct(">III").pack(16, 1, 2)
_SYMBOL = Struct(">II").pack
_U64 = Struct(">IQ").pack


def instance_key(contract: bytes) -> bytes:
    """The key of a contract's instance: its instance storage, and the hash of its code."""
    return _data_key(contract, _INSTANCE)


def record_key(contract: bytes, name: str, number: int) -> bytes:
    """The key of the enum value `name(number)` of a contract, such as `Stream(7)`."""
    raw = name.encode()
    symbol = _SYMBOL(15, len(raw)) + raw + bytes(-len(raw) % 4)
    return _data_key(contract, _LIST_OF_TWO + symbol + _U64(5, number))


def _data_key(contract: bytes, key: bytes) -> bytes:
    return _CONTRACT_DATA + _CONTRACT + contract + key + _PERSISTENT
