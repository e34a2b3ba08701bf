"""Signed transactions in real envelopes. The Soroban footprint names the called contracts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from stellar_sdk import (
    Account,
    Asset,
    FeeBumpTransactionEnvelope,
    Keypair,
    TransactionBuilder,
    TransactionEnvelope,
    scval,
    xdr,
)

from deploy.simulator.chain.values import sc_address, to_base64

BASE_FEE = 100
RESOURCE_FEE = 65_432


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedTransaction:
    """A signed transaction. Fees are in stroops, hashes in hex, other bytes in base64.

    `times` are the time bounds in Unix seconds; 0 stands for no bound.
    `native` is the address of the native asset's contract (lumens), which differs between networks.
    For a fee bump, `hash`, `signatures` and `max_fee` belong to the outer envelope, and the fields
    `inner_*` belong to the transaction inside.
    """

    envelope: str
    hash: str
    source: str
    sequence: int
    fee_source: str
    max_fee: int
    signatures: tuple[str, ...]
    native: str
    memo: str | None = None
    times: tuple[int, int] = (0, 0)
    inner_hash: str | None = None
    inner_max_fee: int = 0
    inner_signatures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a transaction and its sequence number. With a `sponsor` it is a fee bump."""

    keys: Keypair
    sequence: int
    passphrase: str
    sponsor: Keypair | None = None

    def builder(self) -> TransactionBuilder:
        """A builder whose transaction gets this sequence number."""
        account = Account(self.keys.public_key, self.sequence - 1)
        return TransactionBuilder(account, self.passphrase, BASE_FEE).add_time_bounds(0, 0)


def invocation(
    caller: Caller,
    contract_id: str,
    function: str,
    arguments: Sequence[xdr.SCVal],
    touched: Sequence[str],
) -> SignedTransaction:
    """A contract call. Its footprint contains the contracts in `touched`."""
    builder = caller.builder()
    # Do not use the setter: it would copy the data through XDR.
    builder.soroban_data = _resources(tuple(touched))
    builder.append_invoke_contract_function_op(contract_id, function, arguments)
    return _sign(caller, builder, None)


def payment(caller: Caller, to: str, amount: str, memo: str | None) -> SignedTransaction:
    """A classic payment in lumens. It calls no contract."""
    builder = caller.builder().append_payment_op(to, Asset.native(), amount)
    if memo is not None:
        builder.add_text_memo(memo)
    return _sign(caller, builder, memo)


@lru_cache(maxsize=64)
def _resources(touched: tuple[str, ...]) -> xdr.SorobanTransactionData:
    footprint = xdr.LedgerFootprint(
        read_only=[ledger_key(each, "instance") for each in touched],
        read_write=[ledger_key(each, "entry") for each in touched],
    )
    return xdr.SorobanTransactionData(
        ext=xdr.SorobanTransactionDataExt(0),
        resources=xdr.SorobanResources(
            footprint=footprint,
            instructions=xdr.Uint32(1_000_000),
            disk_read_bytes=xdr.Uint32(4_096),
            write_bytes=xdr.Uint32(4_096),
        ),
        resource_fee=xdr.Int64(RESOURCE_FEE),
    )


def ledger_key(contract_id: str, what: str) -> xdr.LedgerKey:
    """The ledger key of a contract's instance, or of one of its data entries."""
    instance = xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_CONTRACT_INSTANCE)
    return xdr.LedgerKey(
        xdr.LedgerEntryType.CONTRACT_DATA,
        contract_data=xdr.LedgerKeyContractData(
            contract=sc_address(contract_id),
            key=instance if what == "instance" else scval.to_symbol(what),
            durability=xdr.ContractDataDurability.PERSISTENT,
        ),
    )


def _sign(caller: Caller, builder: TransactionBuilder, memo: str | None) -> SignedTransaction:
    envelope = builder.build()
    envelope.sign(caller.keys)
    plain = SignedTransaction(
        envelope=envelope.to_xdr(),
        hash=envelope.hash_hex(),
        source=caller.keys.public_key,
        sequence=caller.sequence,
        fee_source=caller.keys.public_key,
        max_fee=envelope.transaction.fee,
        signatures=_signatures(envelope),
        native=native(caller.passphrase),
        memo=memo,
    )
    return plain if caller.sponsor is None else _bump(plain, envelope, caller, caller.sponsor)


def _bump(
    plain: SignedTransaction, envelope: TransactionEnvelope, caller: Caller, by: Keypair
) -> SignedTransaction:
    bump = TransactionBuilder.build_fee_bump_transaction(
        by, 2 * BASE_FEE, envelope, caller.passphrase
    )
    bump.sign(by)
    return replace(
        plain,
        envelope=bump.to_xdr(),
        hash=bump.hash_hex(),
        fee_source=by.public_key,
        max_fee=bump.transaction.fee,
        signatures=_signatures(bump),
        inner_hash=plain.hash,
        inner_max_fee=plain.max_fee,
        inner_signatures=plain.signatures,
    )


@lru_cache(maxsize=4)
def native(passphrase: str) -> str:
    """The address of the native asset's contract (lumens) on the network with this passphrase."""
    return Asset.native().contract_id(passphrase)


def _signatures(envelope: TransactionEnvelope | FeeBumpTransactionEnvelope) -> tuple[str, ...]:
    return tuple(to_base64(each.signature) for each in envelope.signatures)
