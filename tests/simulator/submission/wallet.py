"""A wallet with one account. It builds, prepares and signs with stellar-sdk's own clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aiohttp
from stellar_sdk import (
    Keypair,
    TransactionBuilder,
    TransactionEnvelope,
    scval,
    xdr,
)
from stellar_sdk.contract import AssembledTransactionAsync, ContractClientAsync
from stellar_sdk.soroban_server_async import SorobanServerAsync

from deploy.simulator.chain import accounts
from deploy.simulator.network import Network
from tests.simulator.samples import rpc
from tests.simulator.sdk_client import HttpClient

_VALUES: dict[str, Callable[[Any], xdr.SCVal]] = {
    "address": scval.to_address,
    "i128": scval.to_int128,
    "u64": scval.to_uint64,
}
FUNCTIONS = {
    "create_stream": ("address", "address", "address", "i128", "u64"),
    "top_up_stream": ("address", "u64", "i128"),
    **dict.fromkeys(
        ("withdraw", "pause_stream", "resume_stream", "cancel_stream"), ("address", "u64")
    ),
    "get_stream": ("u64",),
    "get_claimable_amount": ("u64",),
    "is_stream_completed": ("u64",),
    "get_fee_config": (),
    "balance": ("address",),
    "decimals": (),
    "name": (),
    "symbol": (),
}
"""The types of the parameters, written from the contract's source."""


class Wallet:
    """Signs with one key. `function` stands for its name, `values` for its arguments."""

    def __init__(self, http: aiohttp.ClientSession, network: Network, keys: Keypair) -> None:
        self.http, self.network, self.keys = http, network, keys
        self.address = keys.public_key
        self.passphrase = network.settings.network_passphrase
        self.url = str(http._base_url).rstrip("/") + "/rpc"
        self.server = SorobanServerAsync(self.url, HttpClient(http))

    def arguments(self, function: str, *values: Any) -> list[xdr.SCVal]:
        kinds = FUNCTIONS[function]
        return [_VALUES[kind](value) for kind, value in zip(kinds, values, strict=True)]

    async def builder(
        self, function: str, *values: Any, contract: str = accounts.STREAMS, fee: int = 100
    ) -> TransactionBuilder:
        source = await self.server.load_account(self.address)
        builder = TransactionBuilder(source, self.passphrase, fee).add_time_bounds(0, 0)
        arguments = self.arguments(function, *values)
        return builder.append_invoke_contract_function_op(contract, function, arguments)

    async def prepare(self, function: str, *values: Any, fee: int = 100) -> TransactionEnvelope:
        """The envelope with the resources that a simulation proposes, without a signature."""
        built = (await self.builder(function, *values, fee=fee)).build()
        return await self.server.prepare_transaction(built)

    async def signed(self, function: str, *values: Any, fee: int = 100) -> TransactionEnvelope:
        envelope = await self.prepare(function, *values, fee=fee)
        envelope.sign(self.keys)
        return envelope

    async def assembled(
        self, function: str, *values: Any, contract: str = accounts.STREAMS
    ) -> AssembledTransactionAsync[Any]:
        """The call, simulated by stellar-sdk's contract client."""
        client = ContractClientAsync(contract, self.url, self.passphrase, HttpClient(self.http))
        arguments = self.arguments(function, *values)
        return await client.invoke(function, arguments, self.address, self.keys, scval.to_native)

    async def simulated(self, envelope: TransactionEnvelope, **more: object) -> Any:
        """The answer of simulateTransaction as it is on the wire."""
        answer = await rpc(self.http, "simulateTransaction", transaction=envelope.to_xdr(), **more)
        return answer["result"]

    async def send(self, envelope: TransactionEnvelope) -> Any:
        """The answer of sendTransaction as it is on the wire."""
        answer = await rpc(self.http, "sendTransaction", transaction=envelope.to_xdr())
        return answer["result"]

    async def status(self, envelope: TransactionEnvelope) -> Any:
        """The answer of getTransaction as it is on the wire."""
        answer = await rpc(self.http, "getTransaction", hash=envelope.hash_hex())
        return answer["result"]

    async def do(self, function: str, *values: Any, now: int | None = None) -> Any:
        """Sign and send a call, close a ledger, and return the answer of getTransaction."""
        envelope = await self.signed(function, *values)
        sent = await self.send(envelope)
        assert sent["status"] == "PENDING", sent
        self.close(now)
        return await self.status(envelope)

    def close(self, now: int | None = None) -> None:
        """Close a ledger, by default 5 seconds after the last one."""
        self.network.close(self.network.chain.latest.closed_at + 5 if now is None else now)

    async def create(
        self, to: str, amount: int = 1_000_000, duration: int = 100, token: str = accounts.TOKEN
    ) -> Any:
        """Create a stream. Returns the answer of getTransaction."""
        return await self.do("create_stream", self.address, to, token, amount, duration)


def data_of(envelope: TransactionEnvelope) -> xdr.SorobanTransactionData:
    """The resources that an envelope declares."""
    assert envelope.transaction.soroban_data
    return envelope.transaction.soroban_data


def code_of(result: str) -> str:
    """The code of a TransactionResult in base64."""
    return xdr.TransactionResult.from_xdr(result).result.code.name


def call_code(result: str) -> str:
    """The code of the call in a TransactionResult in base64."""
    results = xdr.TransactionResult.from_xdr(result).result.results
    assert results
    assert results[0].tr
    inner = results[0].tr.invoke_host_function_result
    assert inner
    return inner.code.name.removeprefix("INVOKE_HOST_FUNCTION_")
