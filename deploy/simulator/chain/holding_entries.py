"""The ledger entries of what an account or a contract holds: accounts, trustlines and balances."""

from __future__ import annotations

from functools import lru_cache

from stellar_sdk import Keypair, StrKey, xdr

from deploy.simulator.chain.accounts import ASSETS, LUMENS
from deploy.simulator.chain.entries import account_entry, entry_data, entry_key
from deploy.simulator.chain.values import Typed, to_scval

_AUTHORIZED = xdr.Uint32(1)
I64_MAX = (1 << 63) - 1


@lru_cache(maxsize=4096)
def holding_key(token: str, holder: str) -> xdr.LedgerKey:
    """The key of the entry that has the amount of a token which somebody holds."""
    if token in ASSETS and StrKey.is_valid_ed25519_public_key(holder):
        asset = ASSETS[token].to_trust_line_asset_xdr_object()
        account = Keypair.from_public_key(holder).xdr_account_id()
        line = xdr.LedgerKeyTrustLine(account, asset)
        return xdr.LedgerKey(xdr.LedgerEntryType.TRUSTLINE, trust_line=line)
    if token == LUMENS and StrKey.is_valid_ed25519_public_key(holder):
        return account_key(holder)
    return entry_key(token, _balance_of(holder))


def account_key(account: str) -> xdr.LedgerKey:
    """The key of an account's entry."""
    key = xdr.LedgerKeyAccount(Keypair.from_public_key(account).xdr_account_id())
    return xdr.LedgerKey(xdr.LedgerEntryType.ACCOUNT, account=key)


def holding_data(
    token: str, holder: str, amount: int, sequence: int = 0, trustlines: int = 0
) -> xdr.LedgerEntryData:
    """The entry with this amount. An account has a sequence number and trustlines too."""
    key = holding_key(token, holder)
    if key.account is not None:
        account = account_entry(holder, sequence, amount, trustlines)
        return xdr.LedgerEntryData(key.type, account=account)
    if key.trust_line is not None:
        return xdr.LedgerEntryData(key.type, trust_line=_trustline(key.trust_line, amount))
    return entry_data(token, _balance_of(holder), _balance(token, amount))


def _trustline(key: xdr.LedgerKeyTrustLine, amount: int) -> xdr.TrustLineEntry:
    return xdr.TrustLineEntry(
        account_id=key.account_id,
        asset=key.asset,
        balance=xdr.Int64(amount),
        limit=xdr.Int64(I64_MAX),
        flags=_AUTHORIZED,
        ext=xdr.TrustLineEntryExt(0),
    )


def _balance_of(holder: str) -> xdr.SCVal:
    return to_scval(Typed("vec", (Typed("symbol", "Balance"), Typed("address", holder))))


def _balance(token: str, amount: int) -> xdr.SCVal:
    """A contract's balance. Contracts of assets also store rights; other tokens only the amount."""
    value = Typed("i128", amount)
    if token not in ASSETS and token != LUMENS:
        return to_scval(value)
    rights = {"authorized": Typed("bool", True), "clawback": Typed("bool", False)}
    return to_scval({"amount": value, **rights})
