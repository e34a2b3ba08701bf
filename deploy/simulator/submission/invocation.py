"""A call on the network: run with all that surrounds it, and then kept or taken back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stellar_sdk import xdr

from deploy.simulator.submission import authorization
from deploy.simulator.submission.calls import (
    ContractCall,
    StreamCall,
    is_stream_call,
    read_stream_call,
)
from deploy.simulator.submission.errors import HostError, called, error_event
from deploy.simulator.submission.host import HostRun, run
from deploy.simulator.submission.reads import read
from deploy.simulator.submission.resources import Footprint, footprint_of
from deploy.simulator.submission.state import State


class Invocation(NamedTuple):
    """A call that succeeded: what it did, what it needs, and to what somebody must agree."""

    run: HostRun
    footprint: Footprint
    needs: tuple[StreamCall, str] | None


def invoke(
    call: ContractCall,
    state: State,
    now: int,
    source: str,
    entries: Sequence[xdr.SorobanAuthorizationEntry] | None,
) -> Invocation:
    """Run a call. If it changes a stream, the contract's state has changed.

    If `entries` is None, all parties agree. Raises HostError; then nothing has changed.
    """
    if not is_stream_call(call):
        run_, keys = read(call, state, now)
        return Invocation(run_, footprint_of(call.contract_id, keys, (), ()), None)
    stream_call = read_stream_call(call)
    token = state.contract.token_of(stream_call.operation)
    if entries is not None:
        authorization.check(stream_call, token, entries, source)
    done = run(stream_call, state.contract, state.holdings, now)
    footprint = footprint_of(call.contract_id, (), done.changes, done.holdings)
    return Invocation(done, footprint, (stream_call, token))


def diagnostics(call: ContractCall, error: HostError) -> list[xdr.DiagnosticEvent]:
    """The diagnostic events of a call that failed, oldest first."""
    begun = called(call.contract_id, call.function, call.arguments)
    if error.contract_id in (None, call.contract_id):
        return [begun, error.event()]
    reason = "escalating error to VM trap from failed host function call: call"
    return [begun, *error.calls, error.event(), error_event(error.error, call.contract_id, reason)]
