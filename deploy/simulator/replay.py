"""Replays transactions of stellar-core's own tests as a chain, with real metas and results.

A file is a list of {"ledger", "tx_order", "close_time", "tx_hash", "result_xdr", "result_meta_xdr",
"events": [{"op", …}]}. The tests ran separately, so several transactions can have the same ledger
and order. `passes` puts such transactions into different chains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from stellar_sdk import xdr

from deploy.simulator.chain.accounts import STRANGER, keypair
from deploy.simulator.chain.envelopes import Caller, invocation
from deploy.simulator.chain.ledger import Ledger, Transaction, close_ledger
from deploy.simulator.chain.values import Emitted, emitted
from deploy.simulator.settings import SimulatorSettings

Vector = Mapping[str, Any]
_GOOD = ("txSUCCESS", "txFEE_BUMP_INNER_SUCCESS")


def passes(vectors: Sequence[Vector]) -> list[list[Vector]]:
    """The vectors as sets in chain order. In a set, each pair of ledger and order occurs once."""
    sets: list[dict[tuple[int, int], Vector]] = []
    for vector in vectors:
        place = (vector["ledger"], vector["tx_order"])
        free = next((each for each in sets if place not in each), None)
        if free is None:
            sets.append(free := {})
        free[place] = vector
    return [[each[place] for place in sorted(each)] for each in sets]


def ledgers(vectors: Sequence[Vector], settings: SimulatorSettings) -> list[Ledger]:
    """One pass as consecutive ledgers. A ledger without vectors is empty."""
    first, last = vectors[0]["ledger"], vectors[-1]["ledger"]
    chain: list[Ledger] = []
    previous, now = "0" * 64, 0
    for sequence in range(first, last + 1):
        here = [each for each in vectors if each["ledger"] == sequence]
        now = here[0]["close_time"] if here else now
        transactions = [_transaction(each, settings.network_passphrase) for each in here]
        chain.append(close_ledger(sequence, now, previous, transactions, settings.protocol))
        previous = chain[-1].hash
    return chain


def _transaction(vector: Vector, passphrase: str) -> Transaction:
    """The vector in an invented envelope. Its footprint has the contracts of its events."""
    meta = xdr.TransactionMeta.from_xdr(vector["result_meta_xdr"])
    result = xdr.TransactionResult.from_xdr(vector["result_xdr"])
    operations = _operations(meta)
    touched = sorted({event.contract_id for events in operations for event in events})
    caller = Caller(keypair("replay"), vector["ledger"], passphrase)
    signed = invocation(caller, (touched or [STRANGER])[0], "replay", [], touched)
    return Transaction(
        ledger=vector["ledger"],
        order=vector["tx_order"],
        closed_at=vector["close_time"],
        signed=replace(signed, hash=vector["tx_hash"]),
        successful=result.result.code.name in _GOOD,
        fee_charged=result.fee_charged.int64,
        result=vector["result_xdr"],
        meta=vector["result_meta_xdr"],
        fee_events=tuple(each.to_xdr() for each in meta.v4.events) if meta.v4 else (),
        operations=operations,
    )


def _operations(meta: xdr.TransactionMeta) -> tuple[tuple[Emitted, ...], ...]:
    if meta.v4 is not None:
        return tuple(tuple(map(emitted, each.events)) for each in meta.v4.operations)
    if meta.v3 is not None and meta.v3.soroban_meta is not None:
        return (tuple(map(emitted, meta.v3.soroban_meta.events)),)
    return ()
