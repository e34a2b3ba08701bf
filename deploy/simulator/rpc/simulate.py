"""The method simulateTransaction.

Fields and texts are those of stellar-rpc v28 and v30.
"""

from __future__ import annotations

from collections.abc import Sequence

from stellar_sdk import xdr

from deploy.simulator.chain.accounts import STREAMS
from deploy.simulator.chain.entries import ledger_entry
from deploy.simulator.chain.server_view import ServerView
from deploy.simulator.network import Network
from deploy.simulator.problems import RpcProblem
from deploy.simulator.rpc.parameters import check_format, item, number, text
from deploy.simulator.submission.calls import creates_stream
from deploy.simulator.submission.envelope import (
    Submission,
    UnsupportedEnvelopeError,
    read_submission,
)
from deploy.simulator.submission.results import stored_entry
from deploy.simulator.submission.simulation import Simulation, SimulationError, Simulator
from deploy.simulator.submission.state import EntryDiff

Json = dict[str, object]
REQUEST = "SimulateTransactionRequest"


def simulate(params: Json, chain: ServerView, network: Network, protocol: int) -> Json:
    """The answer. The script leaves the account alone for a while, so that it can sign.

    It creates no stream for a while either, if that is what the client simulates.
    """
    asked = text(params, f"{REQUEST}.transaction")
    config = item(params.get("resourceConfig"), f"{REQUEST}.resourceConfig", "ResourceConfig")
    leeway = number(config, "ResourceConfig.resourceConfig.instructionLeeway", "uint")
    try:
        check_format(params, REQUEST)
        submission = read_submission(asked, network.settings.network_passphrase)
    except RpcProblem as problem:
        return _failed(str(problem), 0)
    except ValueError:
        return _failed("Could not unmarshal transaction", 0)
    except UnsupportedEnvelopeError:
        return _failed("the simulated network knows envelopes of version 1 only", 0)
    latest = network.chain.latest
    network.submissions.reserve(submission.source, latest.closed_at)
    if creates_stream(submission.operation):  # the next id must stay, which is in its footprint
        network.submissions.reserve(STREAMS, latest.closed_at)
    state, now = network.submissions.state, latest.closed_at
    simulator = Simulator(state, latest.sequence, now, protocol, leeway)
    try:
        found = simulator.simulate(submission, text(params, f"{REQUEST}.authMode"))
    except SimulationError as error:
        ledger = chain.latest.sequence if error.of_host else 0
        return _failed(str(error), ledger, error.events)
    return _shown(found, submission, chain.latest.sequence)


def _failed(reason: str, ledger: int, events: Sequence[xdr.DiagnosticEvent] = ()) -> Json:
    return {
        "error": reason,
        **({"events": [each.to_xdr() for each in events]} if events else {}),
        "latestLedger": ledger,
    }


def _shown(found: Simulation, submission: Submission, ledger: int) -> Json:
    events = [each.to_xdr() for each in found.events]
    changes = [_change(each, ledger) for each in found.diffs]
    return {
        "transactionData": found.data.to_xdr(),
        **({"events": events} if events else {}),
        "minResourceFee": str(found.data.resource_fee.int64),
        **_results(found),
        **({"restorePreamble": _preamble(found.restore)} if found.restore else {}),
        **({"stateChanges": changes} if changes else {}),
        "latestLedger": ledger,
    }


def _results(found: Simulation) -> Json:
    """A call has one result. A RestoreFootprint has none."""
    if found.returned is None:
        return {}
    entries = [each.to_xdr() for each in found.authorization]
    return {"results": [{"auth": entries, "xdr": found.returned.to_xdr()}]}


def _preamble(data: xdr.SorobanTransactionData) -> Json:
    return {"transactionData": data.to_xdr(), "minResourceFee": str(data.resource_fee.int64)}


def _change(diff: EntryDiff, ledger: int) -> Json:
    return {
        "type": "created" if diff.before is None else "updated",
        "key": diff.key,
        "before": stored_entry(diff.before).to_xdr() if diff.before else None,
        "after": ledger_entry(diff.after, ledger).to_xdr(),
    }
