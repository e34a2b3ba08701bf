"""The method sendTransaction.

Texts and codes are those of stellar-rpc v28 and v30, and of the stellar-core behind it.
"""

from __future__ import annotations

from deploy.simulator.chain.server_view import ServerView
from deploy.simulator.faults.faults import OF_SUBMISSION, Fault, FaultKind, Faults
from deploy.simulator.network import Network
from deploy.simulator.rpc.parameters import check_format, invalid, text
from deploy.simulator.submission.envelope import (
    Submission,
    UnsupportedEnvelopeError,
    read_submission,
)
from deploy.simulator.submission.queue import Pending, SubmissionStatus, Treatment
from deploy.simulator.submission.validity import InvalidError, Limits

Json = dict[str, object]
_TREATMENTS = {
    FaultKind.DISCARDED: Treatment.DISCARD,
    FaultKind.OVERTAKEN: Treatment.OVERTAKE,
}


def send(params: Json, chain: ServerView, network: Network, faults: Faults, now: int) -> Json:
    """The answer. Raises RpcProblem -32602 if there is no envelope."""
    check_format(params, "SendTransactionRequest")
    asked = text(params, "SendTransactionRequest.transaction")
    try:
        submission = read_submission(asked, network.settings.network_passphrase)
    except ValueError:
        raise invalid("invalid_xdr") from None
    except UnsupportedEnvelopeError:
        raise invalid("the simulated network knows envelopes of version 1 only") from None
    return {
        **_outcome(submission, network, faults, now),
        "hash": submission.hash,
        "latestLedger": chain.latest.sequence,
        "latestLedgerCloseTime": str(chain.latest.closed_at),
    }


def _outcome(submission: Submission, network: Network, faults: Faults, now: int) -> Json:
    fault = faults.take("sendTransaction", OF_SUBMISSION)
    if fault and fault.kind is FaultKind.TRY_AGAIN_LATER:
        return {"status": SubmissionStatus.TRY_AGAIN_LATER}
    try:
        status = network.send(_pending(submission, fault), _limits(network, now))
    except InvalidError as error:
        diagnostics = [error.fault.event().to_xdr()] if error.fault else []
        shown = {"diagnosticEventsXdr": diagnostics} if diagnostics else {}
        return {"status": "ERROR", "errorResultXdr": error.result().to_xdr(), **shown}
    return {"status": status}


def _pending(submission: Submission, fault: Fault | None) -> Pending:
    if fault is None:
        return Pending(submission)
    delay = fault.after if fault.kind is FaultKind.DELAYED else 0
    return Pending(submission, _TREATMENTS.get(fault.kind, Treatment.INCLUDE), delay)


def _limits(network: Network, now: int) -> Limits:
    """What the network asks now. A core expects the next ledger within two usual intervals.

    If ledgers are closed by hand, their times do not follow the clock.
    """
    closed_at, interval = network.chain.latest.closed_at, network.settings.close_seconds
    latest = max(closed_at, now) + int(2 * interval) if interval > 0 else closed_at
    return Limits(closed_at, latest, network.submissions.inclusion_fee)
