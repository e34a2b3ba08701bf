"""Simulates a transaction: what it would do after the last ledger, and what it must declare.

Nothing changes. The texts are those of stellar-rpc v28 and v30.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from stellar_sdk import xdr

from deploy.simulator.submission import authorization
from deploy.simulator.submission.calls import ContractCall, read_host_function
from deploy.simulator.submission.envelope import SOROBAN, Submission
from deploy.simulator.submission.errors import HostError, called, report, returned
from deploy.simulator.submission.invocation import Invocation, diagnostics, invoke
from deploy.simulator.submission.resources import (
    Footprint,
    read_footprint,
    transaction_data,
)
from deploy.simulator.submission.state import EntryDiff, State

MODES = ("enforce", "record", "record_allow_nonroot")
"""How a simulation treats authorization. By default it checks given entries, or records them."""
AUTORESTORE = 23
"""The first protocol in which a call restores archived entries itself."""


class SimulationError(Exception):
    """The simulation fails with this text and these diagnostic events.

    `of_host` is False if the server refuses the request itself. Its answer then has no ledger.
    """

    def __init__(
        self, text: str, events: Sequence[xdr.DiagnosticEvent] = (), *, of_host: bool = False
    ) -> None:
        super().__init__(text)
        self.events = events
        self.of_host = of_host


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A transaction that would succeed: what to declare, and what it would do.

    `restore` is the data of the RestoreFootprint that must come before, if one must.
    """

    data: xdr.SorobanTransactionData
    returned: xdr.SCVal | None = None
    authorization: Sequence[xdr.SorobanAuthorizationEntry] = ()
    events: Sequence[xdr.DiagnosticEvent] = ()
    diffs: Sequence[EntryDiff] = field(default=())
    restore: xdr.SorobanTransactionData | None = None


@dataclass(frozen=True, slots=True)
class Simulator:
    """Simulates after `ledger`, which closed at `now`, in the version `protocol` of the network.

    `leeway` are the instructions that a client wants in addition.
    """

    state: State
    ledger: int
    now: int
    protocol: int
    leeway: int = 0

    def simulate(self, submission: Submission, mode: str = "") -> Simulation:
        """Simulate the transaction of an envelope, which needs no signature.

        `mode` is RPC's parameter `authMode`. Raises SimulationError.
        """
        if len(submission.body.operations) != 1:
            raise SimulationError("Transaction contains more than one operation")
        if submission.body.memo.type is not xdr.MemoType.MEMO_NONE:
            text = "Transaction contains a memo. Soroban transactions do not support memos."
            raise SimulationError(text)
        body = submission.operation.body
        if body.invoke_host_function_op is not None:
            return self._call(body.invoke_host_function_op, submission.source, mode)
        if body.type not in SOROBAN:
            kind = "".join(part.title() for part in body.type.name.split("_"))
            text = f"transaction contains unsupported operation type: OperationType{kind}"
            raise SimulationError(text)
        if mode:
            raise SimulationError("cannot set authMode with non-InvokeHostFunction operations")
        return self._restore(submission)

    def _restore(self, submission: Submission) -> Simulation:
        if submission.data is None:
            raise SimulationError(
                "To perform a SimulateTransaction for ExtendFootprintTtl or RestoreFootprint "
                "operations, SorobanTransactionData must be provided"
            )
        writes = read_footprint(submission.data.resources.footprint).writes
        return Simulation(data=self._restoring(self.state.archived(writes, self.ledger)))

    def _restoring(self, keys: Sequence[str]) -> xdr.SorobanTransactionData:
        return transaction_data(Footprint((), tuple(keys)), self._sizes(keys), (), instructions=0)

    def _call(self, operation: xdr.InvokeHostFunctionOp, source: str, mode: str) -> Simulation:
        entries = _entries(operation.auth, mode)
        try:
            call = read_host_function(operation.host_function)
        except HostError as error:
            raise SimulationError(report(error, ()), of_host=True) from None
        try:
            done = invoke(call, self.state, self.now, source, entries)
        except HostError as error:
            events = diagnostics(call, error)
            raise SimulationError(report(error, events), events, of_host=True) from None
        try:
            return self._simulation(call, done, operation.auth, source)
        finally:
            if done.needs:
                self.state.contract.undo()

    def _simulation(
        self,
        call: ContractCall,
        done: Invocation,
        given: Sequence[xdr.SorobanAuthorizationEntry],
        source: str,
    ) -> Simulation:
        footprint = done.footprint
        archived = self.state.archived(footprint.keys, self.ledger)
        automatic = self.protocol >= AUTORESTORE
        if archived and automatic:  # only entries that are written can be restored by the call
            footprint = footprint.writing(archived)
        places = [footprint.writes.index(key) for key in archived] if automatic else []
        diffs = self.state.differences(done.run, self.ledger)
        sizes = self._sizes(footprint.keys)
        sizes |= {each.key: len(each.after.to_xdr_bytes()) for each in diffs}
        return Simulation(
            data=transaction_data(footprint, sizes, places, leeway=self.leeway),
            returned=done.run.returned,
            authorization=given or self._authorization(done, source),
            events=_events(call, done),
            diffs=diffs,
            restore=self._restoring(archived) if archived and not automatic else None,
        )

    def _authorization(
        self, done: Invocation, source: str
    ) -> Sequence[xdr.SorobanAuthorizationEntry]:
        if done.needs is None:
            return ()
        return [authorization.recorded(*done.needs, source, nonce=self.ledger)]

    def _sizes(self, keys: Sequence[str]) -> dict[str, int]:
        return {key: self.state.size(key, self.ledger) for key in keys}


def _entries(
    given: Sequence[xdr.SorobanAuthorizationEntry], mode: str
) -> Sequence[xdr.SorobanAuthorizationEntry] | None:
    """The entries to check; None to record those that are needed. Raises SimulationError."""
    if mode not in ("", *MODES):
        known = ",".join(MODES)
        raise SimulationError(f"optional 'authMode' must be one of {known} when included")
    if given and mode in MODES[1:]:
        raise SimulationError(f"cannot set authMode to '{mode}' with an auth footprint")
    return given if given or mode == MODES[0] else None


def _events(call: ContractCall, done: Invocation) -> list[xdr.DiagnosticEvent]:
    """The diagnostic events of a call that succeeds: its begin, its events and its end."""
    begun = called(call.contract_id, call.function, call.arguments)
    emitted = [xdr.DiagnosticEvent(True, each) for each in done.run.events]
    return [begun, *emitted, returned(call.contract_id, call.function, done.run.returned)]
