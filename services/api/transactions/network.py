"""What transactions need of the network, by Stellar RPC. The answers are checked.

All methods but `send` raise RpcUnavailableError if RPC does not answer, or answers nonsense.

See docs/decisions/0116-the-api-never-holds-a-key.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from stellar_sdk import Keypair, StrKey, xdr

from services.api.errors import RpcUnavailableError
from services.api.transactions.calls import ActionCall
from services.api.transactions.failures import Failure
from services.api.transactions.settled import LedgerTimes, ledger_times
from services.api.transactions.simulation import NeedsRestore, SimulatedCall, read_simulation
from shared.chain.errors import FatalSourceError, SourceError
from shared.chain.http import check_network
from shared.chain.rpc import RpcClient
from shared.chain.xdr.entries import contract_data
from shared.chain.xdr.ledger_keys import instance_key
from shared.chain.xdr.natives import ContractInstance
from shared.domain.strkeys import CONTRACT, payload_of

_NO_HASH = "0" * 64
"""No transaction has this hash. The answer tells the times of RPC's ledgers and nothing else."""

LEAST_INCLUSION_FEE = 100
"""Stroops: the least fee of a transaction with one operation."""

FEE_PERCENTILE = "p90"
"""The inclusion fee that 90 % of the calls in the last ledgers did not exceed."""


@dataclass(frozen=True, slots=True)
class LedgerAccount:
    """An account in the ledger. `balance` is in stroops. `signers` are its keys (G…)."""

    sequence: int
    balance: int
    signers: frozenset[str]


@asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """Turn errors of RPC into RpcUnavailableError."""
    try:
        yield
    except SourceError as error:
        wait = int(error.retry_after or 2)
        message = f"Stellar RPC cannot answer now ({error.kind}). This request has sent nothing."
        raise RpcUnavailableError(message, wait) from error
    except FatalSourceError as error:
        raise RpcUnavailableError(
            f"RPC_URL is wrong: {error}. This request has sent nothing.", 60
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        message = (
            f"Stellar RPC sent a malformed answer ({error!s:.100}). This request has sent nothing."
        )
        raise RpcUnavailableError(message) from error


class ChainNetwork:
    """The network behind one RPC server."""

    def __init__(self, rpc: RpcClient, passphrase: str) -> None:
        self._rpc = rpc
        self.passphrase = passphrase
        self._is_checked = False

    async def check(self) -> None:
        """Check once that RPC serves our network."""
        if not self._is_checked:
            async with answering():
                answered = (await self._rpc.call("getNetwork")).get("passphrase")
                check_network(self._rpc.shown_url, answered, self.passphrase)
            self._is_checked = True

    async def times(self) -> LedgerTimes:
        """RPC's ledgers. getHealth would fail while the last ledger is older than 30 seconds."""
        async with answering():
            return ledger_times(await self._rpc.call("getTransaction", hash=_NO_HASH))

    async def account(self, address: str) -> LedgerAccount | None:
        """An account (G…); None if it does not exist."""
        key = _account_key(address)
        async with answering():
            entry = (await self._rpc.entries([key])).found.get(key)
            return None if entry is None else _account(entry.data)

    async def is_by_asset(self, failure: Failure, call: ActionCall) -> bool:
        """True if the contract that failed is the built-in one of a Stellar asset."""
        if failure.contract_id in (None, call.contract_id):
            return False
        key = instance_key(payload_of(CONTRACT, str(failure.contract_id)))
        async with answering():
            entry = (await self._rpc.entries([key])).found.get(key)
            instance = contract_data(entry.data).value if entry else None
            return isinstance(instance, ContractInstance) and instance.executable is None

    async def inclusion_fee(self, most: int) -> int:
        """The inclusion fee to offer, in stroops, at most `most`."""
        async with answering():
            stats = (await self._rpc.call("getFeeStats"))["sorobanInclusionFee"]
            return min(max(LEAST_INCLUSION_FEE, int(stats[FEE_PERCENTILE])), most)

    async def simulate(self, envelope: str) -> SimulatedCall | NeedsRestore | Failure:
        """What the envelope would do after the last ledger."""
        async with answering():
            return read_simulation(
                await self._rpc.call("simulateTransaction", transaction=envelope)
            )

    async def transaction(self, tx_hash: str) -> Mapping[str, Any]:
        """The answer of getTransaction. It always has the times of RPC's ledgers."""
        async with answering():
            answer = await self._rpc.call("getTransaction", hash=tx_hash)
            ledger_times(answer)
            return answer

    async def send(self, envelope: str) -> Mapping[str, Any]:
        """The answer of sendTransaction. Raises SourceError."""
        return await self._rpc.call("sendTransaction", transaction=envelope)


def was_not_sent(error: SourceError) -> bool:
    """True if there was no connection, so that RPC cannot have the request."""
    return isinstance(
        error.__cause__, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError
    )


def _account_key(address: str) -> bytes:
    account = Keypair.from_public_key(address).xdr_account_id()
    key = xdr.LedgerKeyAccount(account)
    return xdr.LedgerKey(xdr.LedgerEntryType.ACCOUNT, account=key).to_xdr_bytes()


def _account(data: bytes) -> LedgerAccount:
    entry = xdr.LedgerEntryData.from_xdr_bytes(data).account
    assert entry is not None
    signers = {
        StrKey.encode_ed25519_public_key(each.key.ed25519.uint256)
        for each in entry.signers
        if each.key.ed25519
    }
    if entry.thresholds.thresholds[0]:  # the weight of the master key
        assert entry.account_id.account_id.ed25519
        key = entry.account_id.account_id.ed25519.uint256
        signers.add(StrKey.encode_ed25519_public_key(key))
    return LedgerAccount(
        entry.seq_num.sequence_number.int64, entry.balance.int64, frozenset(signers)
    )
