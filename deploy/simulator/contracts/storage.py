"""The contracts' storage: entries of streams, and the instances of the contract and its token.

A stream without a cliff is stored as the deployed contract does it, with twelve fields. A stream
with a cliff has the fields of later versions too.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from stellar_sdk import scval, xdr

from deploy.simulator.chain.accounts import ADMIN, address
from deploy.simulator.chain.values import Typed, to_scval
from deploy.simulator.contracts.record import Record

INSTANCE_KEY = xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_CONTRACT_INSTANCE)
ASSET_DECIMALS = 7
"""All contracts of Stellar assets have seven decimals."""


def _wasm(name: str) -> xdr.ContractExecutable:
    return xdr.ContractExecutable(
        xdr.ContractExecutableType.CONTRACT_EXECUTABLE_WASM,
        wasm_hash=xdr.Hash(sha256(name.encode()).digest()),
    )


_WASM = _wasm("the simulated stream contract")
_TOKEN_CODE = _wasm("a simulated token")
_ASSET = xdr.ContractExecutable(xdr.ContractExecutableType.CONTRACT_EXECUTABLE_STELLAR_ASSET)


def code_key() -> xdr.LedgerKey:
    """The key of the stream contract's code."""
    assert _WASM.wasm_hash
    code = xdr.LedgerKeyContractCode(_WASM.wasm_hash)
    return xdr.LedgerKey(xdr.LedgerEntryType.CONTRACT_CODE, contract_code=code)


def stream_key(stream_id: str) -> Typed:
    """The key of a stream's entry."""
    return _enum("Stream", Typed("u64", int(stream_id)))


def stream_value(record: Record) -> Mapping[str, Typed]:
    """The value of a stream's entry."""
    value = {
        "sender": Typed("address", record.sender),
        "recipient": Typed("address", record.recipient),
        "token_address": Typed("address", record.token),
        "rate_per_second": Typed("i128", record.rate),
        "deposited_amount": Typed("i128", record.deposited),
        "withdrawn_amount": Typed("i128", record.withdrawn),
        "start_time": Typed("u64", record.start),
        "last_update_time": Typed("u64", record.anchor),
        "is_active": Typed("bool", record.active),
        "paused": Typed("bool", record.paused),
        "paused_at": _optional(record.paused_at),
        "status": _enum(record.status),
    }
    if record.cliff is None:
        return value
    return value | {
        "cliff_time": _optional(record.cliff),
        "schedule": _enum("Linear"),
        "arbiter": Typed("void"),
        "dispute_status": _enum("None"),
        "is_allowance_based": Typed("bool", False),
    }


def _enum(name: str, *values: Typed) -> Typed:
    return Typed("vec", (Typed("symbol", str(name)), *values))


def _optional(value: int | None) -> Typed:
    return Typed("void") if value is None else Typed("u64", value)


def contract_instance(streams: int, admin: str, treasury: str, fee_bps: int) -> xdr.SCVal:
    """The instance of the stream contract: the number of streams, and who gets which fee.

    The first stream adds the number.
    """
    config = config_value(admin, treasury, fee_bps)
    counter = {_enum("StreamCounter"): scval.to_uint64(streams)} if streams else {}
    return _instance(_WASM, {_enum("ProtocolConfig"): to_scval(config)} | counter)


def config_value(admin: str, treasury: str, fee_bps: int) -> Mapping[str, Typed]:
    """Who owns the contract, who gets its fees, and how much."""
    return {
        "admin": Typed("address", admin),
        "fee_rate_bps": Typed("u32", fee_bps),
        "treasury": Typed("address", treasury),
    }


def asset_instance(asset: str) -> xdr.SCVal:
    """The instance of the contract of an asset: `CODE:ISSUER`, or `native`."""
    metadata = _metadata(asset.partition(":")[0], asset, ASSET_DECIMALS)
    return _instance(_ASSET, {Typed("symbol", "METADATA"): metadata})


def token_instance(symbol: str, name: str, decimals: int) -> xdr.SCVal:
    """The instance of a token that is not an asset, in the form of soroban-token-sdk."""
    admin = to_scval(Typed("address", address(ADMIN)))
    metadata = _metadata(symbol, name, decimals)
    return _instance(_TOKEN_CODE, {_enum("Admin"): admin, Typed("symbol", "METADATA"): metadata})


def silent_instance() -> xdr.SCVal:
    """The instance of a contract without metadata."""
    return _instance(_TOKEN_CODE, {_enum("Admin"): to_scval(Typed("address", address(ADMIN)))})


def _metadata(symbol: str, name: str, decimals: int) -> xdr.SCVal:
    return to_scval(
        {
            "decimal": Typed("u32", decimals),
            "name": Typed("string", name),
            "symbol": Typed("string", symbol),
        }
    )


def _instance(code: xdr.ContractExecutable, storage: Mapping[Typed, xdr.SCVal]) -> xdr.SCVal:
    entries = [xdr.SCMapEntry(to_scval(key), value) for key, value in storage.items()]
    instance = xdr.SCContractInstance(code, xdr.SCMap(entries))
    return xdr.SCVal(xdr.SCValType.SCV_CONTRACT_INSTANCE, instance=instance)
