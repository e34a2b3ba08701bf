"""Executes a submitted transaction in its ledger: fee and sequence number first, then its call."""

from __future__ import annotations

from collections.abc import Sequence

from stellar_sdk import scval, xdr

from deploy.simulator.chain.accounts import LUMENS
from deploy.simulator.chain.holdings import Holding
from deploy.simulator.chain.ledger import Transaction
from deploy.simulator.chain.values import emitted
from deploy.simulator.execution import LedgerSlot
from deploy.simulator.submission.calls import read_host_function
from deploy.simulator.submission.envelope import Submission
from deploy.simulator.submission.errors import HostError
from deploy.simulator.submission.host import HostRun
from deploy.simulator.submission.invocation import diagnostics, invoke
from deploy.simulator.submission.resources import (
    INSTRUCTIONS,
    Footprint,
    read_footprint,
    resource_fee,
)
from deploy.simulator.submission.results import (
    Fees,
    InvokeCode,
    TransactionOutcome,
    invoked,
    meta,
    restored,
    succeeded,
    transaction_result,
)
from deploy.simulator.submission.state import State


def apply(
    submission: Submission, state: State, slot: LedgerSlot, inclusion_fee: int
) -> Transaction:
    """Execute a valid transaction. It takes a fee and a sequence number also if it fails."""
    assert submission.data
    taken = inclusion_fee + submission.resource_fee
    refund = submission.resource_fee - resource_fee(submission.data.resources)
    lumens = _take_fee(submission, state, slot.ledger, taken)
    execution = _Execution(submission, state, slot)
    outcome = execution.outcome(Fees(taken, refund, lumens))
    _put(state, slot.ledger, submission.source, refund)
    result = transaction_result(outcome)
    written = meta(submission, outcome, slot.ledger)
    assert written.v4
    return Transaction(
        ledger=slot.ledger,
        order=slot.order,
        closed_at=slot.closed_at,
        signed=submission.signed(),
        successful=outcome.successful,
        fee_charged=taken - refund,
        inclusion_fee=inclusion_fee,
        result=result.to_xdr(),
        meta=written.to_xdr(),
        fee_events=tuple(each.to_xdr() for each in written.v4.events),
        operations=(tuple(map(emitted, outcome.events)),) if outcome.successful else (),
        entries=tuple(execution.run.changes) if execution.run else (),
    )


def _take_fee(submission: Submission, state: State, ledger: int, fee: int) -> int:
    """Take the fee and the sequence number. Returns what the account then has, in stroops."""
    state.holdings.put_sequence(ledger, submission.source, submission.sequence)
    return _put(state, ledger, submission.source, -fee)


def _put(state: State, ledger: int, account: str, change: int) -> int:
    lumens = (state.holdings.amount(LUMENS, account) or 0) + change
    state.holdings.put(ledger, {Holding(LUMENS, account): lumens})
    return lumens


class _FailedError(Exception):
    """The operation fails with this code."""

    def __init__(
        self, code: InvokeCode, diagnostic_events: Sequence[xdr.DiagnosticEvent] = ()
    ) -> None:
        super().__init__(code.name)
        self.code = code
        self.diagnostics = diagnostic_events


class _Execution:
    """The operation of one transaction. `run` is what it did, if it was a call that succeeded."""

    def __init__(self, submission: Submission, state: State, slot: LedgerSlot) -> None:
        assert submission.data
        self._submission = submission
        self._state = state
        self._slot = slot
        self._data = submission.data
        self._footprint = read_footprint(self._data.resources.footprint)
        self.run: HostRun | None = None

    def outcome(self, fees: Fees) -> TransactionOutcome:
        """Run the operation."""
        body = self._submission.operation.body
        if body.invoke_host_function_op is None:
            self._restore(self._footprint.writes)
            return TransactionOutcome(result=restored(), successful=True, fees=fees)
        try:
            run = self.run = self._invoke(body.invoke_host_function_op)
        except _FailedError as failed:
            result = invoked(failed.code)
            return TransactionOutcome(
                result=result, successful=False, diagnostics=failed.diagnostics, fees=fees
            )
        diffs = self._state.differences(run, self._slot.ledger)
        self._state.holdings.put(self._slot.ledger, run.holdings)
        return TransactionOutcome(
            result=succeeded(run.returned, run.events),
            successful=True,
            events=run.events,
            returned=run.returned,
            diffs=diffs,
            fees=fees,
        )

    def _invoke(self, operation: xdr.InvokeHostFunctionOp) -> HostRun:
        """Run the call. Raises _FailedError."""
        self._require_live()
        call = read_host_function(operation.host_function)
        now, source = self._slot.closed_at, self._submission.source
        try:
            done = invoke(call, self._state, now, source, operation.auth)
        except HostError as error:
            trapped = InvokeCode.INVOKE_HOST_FUNCTION_TRAPPED
            raise _FailedError(trapped, diagnostics(call, error)) from None
        try:
            self._require_resources(done.footprint)
        except _FailedError:
            if done.needs:
                self._state.contract.undo()
            raise
        return done.run

    def _require_live(self) -> None:
        """Restore the archived entries that the transaction names; no other may be archived."""
        extension = self._data.ext.resource_ext
        places = [each.uint32 for each in extension.archived_soroban_entries] if extension else []
        writes = self._footprint.writes
        self._restore([writes[each] for each in places if each < len(writes)])
        if self._state.archived(self._footprint.keys, self._slot.ledger):
            raise _FailedError(InvokeCode.INVOKE_HOST_FUNCTION_ENTRY_ARCHIVED)

    def _restore(self, keys: Sequence[str]) -> None:
        for key in self._state.archived(keys, self._slot.ledger):
            self._state.storage.restore(key, self._slot.ledger)

    def _require_resources(self, needed: Footprint) -> None:
        """Raise _FailedError unless the footprint and the resources are large enough."""
        if not self._footprint.covers(needed):
            reason = "trying to access an entry outside of the footprint"
            error = HostError("Storage", "ExceededLimit", reason)
            raise _FailedError(InvokeCode.INVOKE_HOST_FUNCTION_TRAPPED, [error.event()])
        resources = self._data.resources
        written = sum(self._state.size(key, self._slot.ledger) for key in needed.writes)
        for what, declared, used in (
            ("instructions", resources.instructions.uint32, INSTRUCTIONS),
            ("byte-write resources", resources.write_bytes.uint32, written),
        ):
            if declared < used:
                raise _exceeded(what, declared, used)


def _exceeded(what: str, declared: int, used: int) -> _FailedError:
    """The failure if a call uses more than its transaction declares."""
    reason = f"operation {what} exceeds amount specified"
    details = [scval.to_uint64(used), scval.to_uint64(declared)]
    error = HostError("Budget", "ExceededLimit", reason, details=details)
    code = InvokeCode.INVOKE_HOST_FUNCTION_RESOURCE_LIMIT_EXCEEDED
    return _FailedError(code, [error.event()])
