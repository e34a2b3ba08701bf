"""Ledger entries of accounts and of contracts' storage, and their changes in a meta, in XDR."""

from __future__ import annotations

from typing import NamedTuple

from stellar_sdk import Keypair, xdr

from deploy.simulator.chain.values import sc_address


class EntryChange(NamedTuple):
    """An entry of a contract's storage before and after a call. `before` is None for a new one."""

    contract_id: str
    key: xdr.SCVal
    before: xdr.SCVal | None
    after: xdr.SCVal


def account_entry(
    address: str, sequence: int, lumens: int = 100_000_000_000, trustlines: int = 0
) -> xdr.AccountEntry:
    """An account with this sequence number and balance (stroops)."""
    return xdr.AccountEntry(
        account_id=Keypair.from_public_key(address).xdr_account_id(),
        balance=xdr.Int64(lumens),
        seq_num=xdr.SequenceNumber(xdr.Int64(sequence)),
        num_sub_entries=xdr.Uint32(trustlines),
        inflation_dest=None,
        flags=xdr.Uint32(0),
        home_domain=xdr.String32(b"local"),
        thresholds=xdr.Thresholds(b"\x01\x00\x00\x00"),
        signers=[],
        ext=xdr.AccountEntryExt(0),
    )


def entry_data(contract_id: str, key: xdr.SCVal, value: xdr.SCVal) -> xdr.LedgerEntryData:
    """An entry of a contract's storage."""
    entry = xdr.ContractDataEntry(
        ext=xdr.ExtensionPoint(0),
        contract=sc_address(contract_id),
        key=key,
        durability=xdr.ContractDataDurability.PERSISTENT,
        val=value,
    )
    return xdr.LedgerEntryData(xdr.LedgerEntryType.CONTRACT_DATA, contract_data=entry)


def entry_key(contract_id: str, key: xdr.SCVal) -> xdr.LedgerKey:
    """The ledger key of an entry of a contract's storage."""
    durability = xdr.ContractDataDurability.PERSISTENT
    data = xdr.LedgerKeyContractData(sc_address(contract_id), key, durability)
    return xdr.LedgerKey(xdr.LedgerEntryType.CONTRACT_DATA, contract_data=data)


def ledger_entry(data: xdr.LedgerEntryData, ledger: int) -> xdr.LedgerEntry:
    """The entry as a transaction of `ledger` writes it."""
    return xdr.LedgerEntry(xdr.Uint32(ledger), data, xdr.LedgerEntryExt(0))


def account_ledger_entry(account: xdr.AccountEntry, ledger: int) -> xdr.LedgerEntry:
    """The entry of an account as a transaction of `ledger` writes it."""
    data = xdr.LedgerEntryData(xdr.LedgerEntryType.ACCOUNT, account=account)
    return ledger_entry(data, ledger)


def changes(before: xdr.LedgerEntry | None, after: xdr.LedgerEntry) -> list[xdr.LedgerEntryChange]:
    """The change of an entry in a meta. `before` is None for a new entry."""
    kinds = xdr.LedgerEntryChangeType
    if before is None:
        return [xdr.LedgerEntryChange(kinds.LEDGER_ENTRY_CREATED, created=after)]
    return [
        xdr.LedgerEntryChange(kinds.LEDGER_ENTRY_STATE, state=before),
        xdr.LedgerEntryChange(kinds.LEDGER_ENTRY_UPDATED, updated=after),
    ]
