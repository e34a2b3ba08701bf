"""Samples for the tests of the simulated network: networks, their ledgers, and ways to ask them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import aiohttp
import pytest

from deploy.simulator.chain import accounts
from deploy.simulator.chain.ledger import Transaction
from deploy.simulator.chain.operations import Proposal, read_operation
from deploy.simulator.network import Network
from deploy.simulator.settings import SimulatorSettings

NOW = 1_770_000_000
QUIET = SimulatorSettings(streams=0, close_seconds=0)
SSE = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
CREATE = {"op": "create", "sender": "alice", "recipient": "bob", "amount": "1000000"}
Sim = Callable[..., Awaitable[Any]]
Call = Callable[..., Awaitable[Any]]


@cache
def _aged(settings: SimulatorSettings, ledgers: int, step: int) -> Network:
    made = Network(settings, NOW)
    for n in range(ledgers):
        made.close(NOW + n * step)
    return made


def aged(ledgers: int, *, step: int = 1, **settings: Any) -> Network:
    """A network after so many ledgers: made once, and every test has a copy of its own."""
    return deepcopy(_aged(SimulatorSettings(close_seconds=0, **settings), ledgers, step))


def transactions(network: Network) -> Iterator[Transaction]:
    return network.chain.after(0)


def calls(*operations: dict[str, Any]) -> Proposal:
    return Proposal(operations=tuple(read_operation(each) for each in operations))


def close(network: Network, now: int, *operations: dict[str, Any]) -> Transaction:
    network.submit(calls(*operations))
    return network.close(now).transactions[0]


def names(transaction: Transaction, contract: str = accounts.STREAMS) -> list[str]:
    return [e.name for _, e in transaction.events() if e.contract_id == contract]


async def stream(http: aiohttp.ClientSession, query: str = "limit=5") -> bytes:
    async with http.get(f"/transactions?{query}", headers=SSE) as response:
        assert response.status == 200
        return await response.read()


async def broken(http: aiohttp.ClientSession, query: str = "limit=5") -> bytes:
    """What came of a stream before its connection broke."""
    got = b""
    async with http.get(f"/transactions?{query}", headers=SSE) as response:
        with pytest.raises(aiohttp.ClientPayloadError):  # noqa: PT012  # the reads until it breaks
            while chunk := await response.content.readany():
                got += chunk
    return got


async def rpc(http: aiohttp.ClientSession, method: str, **params: object) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with http.post("/rpc", json=body) as response:
        return json.loads(await response.read())


async def read(http: aiohttp.ClientSession, path: str, **headers: str) -> Any:
    async with http.get(path, headers=headers) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "application/hal+json"
        return await response.json()


def good(network: Network, after: int = 0) -> list[int]:
    return [t.toid for t in network.chain.after(after) if t.successful]
