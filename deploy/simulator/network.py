"""The network: it closes ledgers with submitted transactions and those of the script.

It has no clock and no socket: `close(now)` gets the time of the ledger in Unix seconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import orjson
from stellar_sdk import Keypair, xdr

from deploy.simulator.chain.accounts import STREAMS, TOKEN
from deploy.simulator.chain.envelopes import Caller
from deploy.simulator.chain.ledger import Chain, Ledger, Transaction, close_ledger
from deploy.simulator.chain.operations import Operation, Proposal
from deploy.simulator.chain.storage_history import StorageHistory
from deploy.simulator.chain.values import Emitted
from deploy.simulator.contracts.entry_changes import first_entry, instance_change, stream_change
from deploy.simulator.contracts.stream_contract import StreamContract
from deploy.simulator.contracts.token_instances import TOKEN_INSTANCES
from deploy.simulator.execution import LedgerSlot, execute
from deploy.simulator.replay import Vector, ledgers, passes
from deploy.simulator.script import Script
from deploy.simulator.settings import SimulatorSettings
from shared.domain.position import Position


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event and its position."""

    position: Position
    closed_at: int
    tx_hash: str
    event: Emitted


class Network:
    """One chain, its contracts, and all events since it began."""

    def __init__(self, settings: SimulatorSettings, now: int) -> None:
        self.settings = settings
        self.listeners: set[Callable[[], None]] = set()
        """The functions to call after each ledger and each reset. They must not raise."""
        self.events: list[RecordedEvent] = []
        """All events since the chain began, including those of trimmed ledgers."""
        self.storage = StorageHistory()
        self.paused_until = 0.0
        """Time of the event loop until which the clock closes no ledger."""
        self._epoch = 0
        self._begin(settings.start_ledger, now)

    def submit(self, *proposals: Proposal) -> int:
        """Add transactions to the next ledger, before the script's. Returns how many wait now."""
        self._waiting += proposals
        return len(self._waiting)

    def close(self, now: int) -> Ledger:
        """Close a ledger. Its time is `now`, or the last ledger's time if that is later."""
        tip = self.chain.latest
        ledger = self._next_ledger(tip.sequence + 1, max(now, tip.closed_at), tip.hash)
        self.chain.append(ledger)
        self._notify()
        return ledger

    def alter(self, stream_id: str, **fields: int) -> None:
        """Change the record of a stream without an event, as no contract should.

        Raises CallRefusedError if there is no such stream.
        """
        before = self.contract.stream(stream_id)
        after = replace(before, **fields)  # type: ignore[arg-type]  # amounts and times only
        self.contract.state.streams[stream_id] = after
        change = stream_change(self.contract.contract_id, before, after)
        self.storage.put(self.chain.latest.sequence, [change])

    def put_instance(self, contract_id: str, instance: xdr.SCVal) -> None:
        """Replace the instance of a contract, such as a token with new metadata."""
        change = instance_change(contract_id, instance)
        self.storage.put(self.chain.latest.sequence, [change])

    def reset(self, now: int, start_ledger: int = 2) -> None:
        """Start again at ledger `start_ledger` with the same passphrase, as the testnet does."""
        self._epoch += 1
        self._begin(start_ledger, now)
        self._notify()

    def replay(self, vectors: Sequence[Vector]) -> None:
        """Replace the chain by one pass of recorded transactions."""
        first, *rest = kept = ledgers(vectors, self.settings)
        self.contract = StreamContract(STREAMS, TOKEN, self.settings.fee_bps)
        self.events = []
        self.chain = Chain(first, max(self.settings.history_ledgers, len(kept)))
        for ledger in rest:
            self.chain.append(ledger)
        for ledger in kept:
            self._record(ledger.transactions)
        self._notify()

    def _begin(self, start_ledger: int, now: int) -> None:
        settings = self.settings
        self.contract = StreamContract(STREAMS, TOKEN, settings.fee_bps)
        self.events = []
        self.storage = StorageHistory()
        tokens = [instance_change(*each) for each in TOKEN_INSTANCES.items()]
        self.storage.put(start_ledger, [first_entry(self.contract), *tokens])
        seed = f"{settings.seed}/{self._epoch}"
        self._script = Script(seed, settings.streams, settings.script_tokens)
        self._sequences: defaultdict[str, int] = defaultdict(lambda: start_ledger << 32)
        self._waiting = [Proposal(operations=(Operation(op="initialize"),))]
        genesis = sha256(f"{settings.network_passphrase}/{self._epoch}".encode()).hexdigest()
        first = self._next_ledger(start_ledger, now, genesis)
        self.chain = Chain(first, settings.history_ledgers)

    def _next_ledger(self, sequence: int, now: int, previous: str) -> Ledger:
        """The next ledger: the waiting transactions and the script's, or else one payment."""
        transactions: list[Transaction] = []
        for proposal in self._proposals(now):
            place = LedgerSlot(sequence, len(transactions) + 1, now)
            transactions.append(execute(proposal, self.contract, place, self._caller))
        if not transactions:
            place = LedgerSlot(sequence, 1, now)
            transactions.append(execute(Proposal(), self.contract, place, self._caller))
        self._record(transactions)
        return close_ledger(sequence, now, previous, transactions, self.settings.protocol)

    def _proposals(self, now: int) -> Iterator[Proposal]:
        waiting, self._waiting = self._waiting, []
        yield from waiting
        if self.settings.streams:
            yield from self._script.proposals(self.contract, now)

    def _caller(self, keys: Keypair, sponsor: Keypair | None) -> Caller:
        self._sequences[keys.public_key] += 1
        sequence = self._sequences[keys.public_key]
        return Caller(keys, sequence, self.settings.network_passphrase, sponsor)

    def _record(self, transactions: Sequence[Transaction]) -> None:
        for transaction in transactions:
            self.storage.put(transaction.ledger, transaction.entries)
            for position, event in transaction.events():
                self.events.append(
                    RecordedEvent(position, transaction.closed_at, transaction.hash, event)
                )

    def _notify(self) -> None:
        for listener in tuple(self.listeners):
            listener()


def start(settings: SimulatorSettings, now: int) -> Network:
    """A network with these settings: with a script, or with a replay of `vectors`.

    Raises OSError or ValueError if the vectors cannot be read.
    """
    network = Network(settings, now)
    if settings.vectors:
        sets = passes(orjson.loads(Path(settings.vectors).read_bytes()))
        if settings.vectors_pass >= len(sets):
            raise ValueError(f"VECTORS_PASS must be below {len(sets)}")
        network.replay(sets[settings.vectors_pass])
    return network
