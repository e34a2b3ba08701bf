"""Recorded transactions for the tests: from stellar-core, and from the simulated network.

A recording is a JSON list of {"test", "ledger", "close_time", "tx_order", "tx_hash", "meta_v",
"result_meta_xdr", "result_xdr", "events": […]}. stellar-core's recording is in `../shared/vectors`,
outside of this repository. Its tests are skipped where that folder does not exist. The simulated
network's is tests/data/simulator_transactions.json; `python -m tests.support.recordings` writes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from stellar_sdk import Address, StrKey, scval, xdr

from deploy.simulator.chain import accounts
from deploy.simulator.chain.ledger import Transaction
from deploy.simulator.chain.operations import Operation, Proposal
from deploy.simulator.network import Network
from deploy.simulator.settings import SimulatorSettings

_ROOT = Path(__file__).parents[2]
VECTORS = _ROOT / "../shared/vectors"
OWN = _ROOT / "tests/data/simulator_transactions.json"
CALLED_BY_CORE = "CAA3QKIP2SNVXUJTB4HKOGF55JTSSMQGED3FZYNHMNSXYV3DRRMAWA3Y"
"""The contract that most transactions of stellar-core's tests call."""


class Recording(NamedTuple):
    """A file of transactions, and the contract that most of them call."""

    path: Path
    contract: str

    def transactions(self) -> list[dict[str, Any]]:
        """All of them, in the order of the file."""
        found: list[dict[str, Any]] = json.loads(self.path.read_text(encoding="utf-8"))
        return found


def recording(name: str, folder: Path = VECTORS) -> Recording:
    """The recording of `simulator` or `stellar-core`.

    Skips the test when the folder of stellar-core's recording does not exist. Fails the test when
    the folder exists without the file: somebody moved or renamed it.
    """
    if name == "simulator":
        return Recording(OWN, accounts.STREAMS)
    path = folder / "core_transactions.json"
    if not folder.is_dir():
        pytest.skip("../shared/vectors does not exist: stellar-core's transactions are not checked")
    if not path.is_file():
        pytest.fail("../shared/vectors exists, but core_transactions.json is not in it")
    return Recording(path, CALLED_BY_CORE)


def _calls(*operations: Operation, **options: Any) -> Proposal:
    return Proposal(operations=operations, **options)


def _proposals() -> Iterator[tuple[str, Proposal]]:
    """Transactions whose events Headrace does not know, each with the events of one contract."""
    for meta in (3, 4):
        unknown = Operation(op="emit", name="unheard_of")
        yield f"an event, meta {meta}", _calls(unknown, meta=meta)
        of_stream = Operation(op="emit", name="rate_modified_again", stream_id=str(2**64 - 1))
        yield f"events in one call, meta {meta}", _calls(unknown, of_stream, meta=meta)
        foreign = Operation(op="foreign", name="price_updated", amount=-(2**127))
        yield f"another contract, meta {meta}", _calls(foreign, meta=meta)
        yield f"a fee bump, meta {meta}", _calls(of_stream, meta=meta, fee_bump=True)
    yield "a payment", Proposal(memo="rent")


def simulated_transactions() -> list[dict[str, Any]]:
    """Two short chains with the same ledger numbers: the content of the simulator's recording."""
    return [each for seed in ("one", "two") for each in _chain(seed)]


def _chain(seed: str) -> Iterator[dict[str, Any]]:
    settings = SimulatorSettings(
        streams=0, close_seconds=0, start_ledger=1, network_passphrase=f"A recorded network, {seed}"
    )
    network = Network(settings, 1_770_000_000)
    names = []
    for n, (name, proposal) in enumerate(_proposals()):
        names.append(name)
        network.submit(proposal)
        if n % 2:  # two transactions in each ledger; the last one is alone
            network.close(1_770_000_000 + 5 * n)
    network.close(1_770_000_100)
    made = [each for each in network.chain.after(0) if each.ledger > 1]  # 1: `initialize`
    for name, transaction in zip(names, made, strict=True):
        yield _written(name, transaction)


def _written(name: str, transaction: Transaction) -> dict[str, Any]:
    assert transaction.meta is not None
    meta = xdr.TransactionMeta.from_xdr(transaction.meta)
    return {
        "test": name,
        "ledger": transaction.ledger,
        "close_time": transaction.closed_at,
        "tx_order": transaction.order,
        "tx_hash": transaction.hash,
        "meta_v": meta.v,
        "result_meta_xdr": transaction.meta,
        "result_xdr": transaction.result,
        "events": [_event(transaction, n, each) for n, each in enumerate(_events(meta))],
    }


def _events(meta: xdr.TransactionMeta) -> list[xdr.ContractEvent]:
    if meta.v4 is not None:
        [operation] = meta.v4.operations
        return operation.events
    assert meta.v3
    assert meta.v3.soroban_meta
    return meta.v3.soroban_meta.events


def _event(transaction: Transaction, index: int, event: xdr.ContractEvent) -> dict[str, Any]:
    """An event as the SDK reads it. None of our own decoder is used."""
    toid = transaction.ledger << 32 | transaction.order << 12
    body = event.body.v0
    assert body
    assert event.contract_id
    return {
        "id": f"{toid:019d}-{index:010d}",
        "op": 0,
        "idx": index,
        "contract_event_xdr": event.to_xdr(),
        "contract": StrKey.encode_contract(event.contract_id.contract_id.hash),
        "type": event.type.name,
        "topics": [_spelled(scval.to_native(each)) for each in body.topics],
        "data": _spelled(scval.to_native(body.data)),
        "topic_xdr": [each.to_xdr() for each in body.topics],
        "value_xdr": body.data.to_xdr(),
    }


def _spelled(value: Any) -> Any:
    if isinstance(value, dict):
        return {_spelled(key): _spelled(each) for key, each in value.items()}
    if isinstance(value, Address):
        return value.address
    return value.decode() if isinstance(value, bytes) else str(value)


if __name__ == "__main__":
    text = json.dumps(simulated_transactions(), indent=1)
    OWN.write_text(text + "\n", encoding="utf-8")
