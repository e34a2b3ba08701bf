"""The network: it closes ledgers with submitted transactions and those of the script.

It has no clock and no socket: `close(now)` gets the time of the ledger in Unix seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import orjson
from stellar_sdk import Keypair, xdr

from deploy.simulator.chain.accounts import SPONSOR, STREAMS, TOKEN, name_of
from deploy.simulator.chain.entries import entry_key
from deploy.simulator.chain.envelopes import Caller
from deploy.simulator.chain.holdings import Holdings
from deploy.simulator.chain.ledger import Chain, Ledger, Transaction, close_ledger
from deploy.simulator.chain.operations import Operation, Proposal
from deploy.simulator.chain.storage_history import StorageHistory
from deploy.simulator.chain.values import Emitted, to_scval
from deploy.simulator.contracts.entry_changes import first_entry, instance_change, stream_change
from deploy.simulator.contracts.storage import INSTANCE_KEY, stream_key
from deploy.simulator.contracts.stream_contract import StreamContract
from deploy.simulator.contracts.token_instances import TOKEN_INSTANCES
from deploy.simulator.execution import LedgerSlot, execute, sender_of
from deploy.simulator.replay import Vector, ledgers, passes
from deploy.simulator.script import Script
from deploy.simulator.settings import SimulatorSettings
from deploy.simulator.submission.calls import creates_stream
from deploy.simulator.submission.queue import Pending, SubmissionStatus, Treatment
from deploy.simulator.submission.state import State
from deploy.simulator.submission.submissions import Submissions
from deploy.simulator.submission.validity import Limits
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
        self.submission_listeners: set[Callable[[], None]] = set()
        """The functions to call after a client submitted a transaction. They must not raise."""
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

    def send(self, pending: Pending, limits: Limits) -> SubmissionStatus:
        """Queue a transaction that a client submits. It can be in the next ledger.

        Raises InvalidError if the network refuses it.
        """
        status = self.submissions.send(pending, self.chain.latest.sequence, limits)
        if status is SubmissionStatus.PENDING:
            for listener in tuple(self.submission_listeners):
                listener()
        return status

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

    def archive(self, stream_id: str) -> None:
        """Archive the entry of a stream; without an id, the instance of the stream contract.

        Raises CallRefusedError if there is no such stream.
        """
        key = INSTANCE_KEY
        if stream_id:
            key = to_scval(stream_key(self.contract.stream(stream_id).id))
        entry = entry_key(self.contract.contract_id, key).to_xdr()
        self.storage.archive(entry, self.chain.latest.sequence)

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
        self.submissions = self._no_submissions(first.sequence)
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
        self.submissions = self._no_submissions(start_ledger)
        self._waiting = [Proposal(operations=(Operation(op="initialize"),))]
        genesis = sha256(f"{settings.network_passphrase}/{self._epoch}".encode()).hexdigest()
        first = self._next_ledger(start_ledger, now, genesis)
        self.chain = Chain(first, settings.history_ledgers)

    def _no_submissions(self, ledger: int) -> Submissions:
        return Submissions(State(self.contract, self.storage, Holdings()), ledger)

    def _next_ledger(self, sequence: int, now: int, previous: str) -> Ledger:
        """The next ledger: what waits and was submitted, and the script's; or else one payment."""
        done: list[Transaction] = []
        for proposal in self._waiting_proposals():
            done.append(self._execute(proposal, LedgerSlot(sequence, len(done) + 1, now)))
        for pending in self.submissions.queue.due():
            self._include(pending, done, sequence, now)
        for proposal in self._script_proposals(now):
            done.append(self._execute(proposal, LedgerSlot(sequence, len(done) + 1, now)))
        if not done:
            # The sponsor pays, so that the sequence numbers of the other accounts stay.
            payment = Proposal(payer=SPONSOR)
            done.append(self._execute(payment, LedgerSlot(sequence, 1, now)))
        self._record(done)
        return close_ledger(sequence, now, previous, done, self.settings.protocol)

    def _waiting_proposals(self) -> Iterator[Proposal]:
        waiting, self._waiting = self._waiting, []
        yield from waiting

    def _script_proposals(self, now: int) -> Iterator[Proposal]:
        """The script's transactions, without those that would disturb a client.

        They come from an account that a client uses now, or take the id of the next stream while a
        client creates one.
        """
        if not self.settings.streams:
            return
        creates = not self.submissions.is_reserved(STREAMS, now)
        for proposal in self._script.proposals(self.contract, now, creates=creates):
            each = proposal
            if not proposal.operations:
                each = replace(proposal, payer=self.submissions.free_name(now))
            sender = sender_of(each, self.contract).public_key
            if not self.submissions.is_reserved(sender, now):
                yield each

    def _include(self, pending: Pending, done: list[Transaction], sequence: int, now: int) -> None:
        """Add a submitted transaction to `done`, unless a fault or a rule keeps it out."""
        submission = pending.submission
        slot = LedgerSlot(sequence, len(done) + 1, now)
        if pending.treatment is Treatment.OVERTAKE and (name := name_of(submission.source)):
            done.append(self._execute(Proposal(payer=name), slot))
        if pending.treatment is not Treatment.INCLUDE:
            self.submissions.queue.ban(submission, sequence)
            return
        self._script.look(self.contract)
        if included := self.submissions.include(submission, slot):
            done.append(included)
        self._script.skip(self.contract)
        if creates_stream(submission.operation):
            self.submissions.release(STREAMS)

    def _execute(self, proposal: Proposal, slot: LedgerSlot) -> Transaction:
        """Execute a transaction that no client has submitted."""
        done = execute(proposal, self.contract, slot, partial(self._caller, slot.ledger))
        self.submissions.record(done)
        return done

    def _caller(self, ledger: int, keys: Keypair, sponsor: Keypair | None) -> Caller:
        holdings, account = self.submissions.state.holdings, keys.public_key
        sequence = holdings.sequence(account) + 1
        holdings.put_sequence(ledger, account, sequence)
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
