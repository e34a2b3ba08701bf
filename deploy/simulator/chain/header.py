"""The header of a ledger in XDR, as stellar-core writes it. Its SHA-256 is the ledger's hash."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from stellar_sdk import xdr

TOTAL_COINS, FEE_POOL = 1_054_439_020_873_472_865, 54_452_345_678
"""In stroops. These totals never change here, because no client reads them."""
BASE_FEE, BASE_RESERVE, MAX_TX_SET_SIZE = 100, 5_000_000, 1_000
_NONE = xdr.Hash(bytes(32))


def ledger_header(
    sequence: int, closed_at: int, previous: str, transactions: Sequence[str], protocol: int
) -> bytes:
    """The header after the one with hash `previous`. Both `previous` and `transactions` are hex."""
    tx_set = xdr.Hash(sha256(bytes.fromhex("".join([previous, *transactions]))).digest())
    value = xdr.StellarValue(
        tx_set,
        xdr.TimePoint(xdr.Uint64(closed_at)),
        [],
        xdr.StellarValueExt(xdr.StellarValueType.STELLAR_VALUE_BASIC),
    )
    return xdr.LedgerHeader(
        ledger_version=xdr.Uint32(protocol),
        previous_ledger_hash=xdr.Hash(bytes.fromhex(previous)),
        scp_value=value,
        tx_set_result_hash=tx_set,
        bucket_list_hash=_NONE,
        ledger_seq=xdr.Uint32(sequence),
        total_coins=xdr.Int64(TOTAL_COINS),
        fee_pool=xdr.Int64(FEE_POOL),
        inflation_seq=xdr.Uint32(0),
        id_pool=xdr.Uint64(0),
        base_fee=xdr.Uint32(BASE_FEE),
        base_reserve=xdr.Uint32(BASE_RESERVE),
        max_tx_set_size=xdr.Uint32(MAX_TX_SET_SIZE),
        skip_list=[_NONE] * 4,
        ext=xdr.LedgerHeaderExt(0),
    ).to_xdr_bytes()
