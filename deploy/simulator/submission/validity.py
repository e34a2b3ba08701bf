"""The checks of a transaction before it is queued, in the order of stellar-core. Pure.

The codes and texts are those of stellar-core (protocol 23 and later).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stellar_sdk import scval, xdr

from deploy.simulator.chain.accounts import LUMENS
from deploy.simulator.chain.holdings import Holdings
from deploy.simulator.contracts.token_transfers import LEAST_LUMENS
from deploy.simulator.submission.envelope import SOROBAN, Submission
from deploy.simulator.submission.errors import HostError
from deploy.simulator.submission.resources import (
    MOST_BYTES,
    MOST_ENTRIES,
    MOST_INSTRUCTIONS,
    resource_fee,
)

Code = xdr.TransactionResultCode


@dataclass(frozen=True, slots=True)
class Limits:
    """What the network asks at this moment. Times are in Unix seconds, the fee is in stroops.

    `latest` is the earliest time at which the transaction can be in a ledger, for its upper bound.
    """

    closed_at: int
    latest: int
    inclusion_fee: int


class InvalidError(Exception):
    """The network refuses a transaction. `fee` is the fee that it would have taken, in stroops."""

    def __init__(self, code: Code, fault: HostError | None = None, fee: int = 0) -> None:
        super().__init__(code.name)
        self.code = code
        self.fault = fault
        self.fee = fee

    def result(self) -> xdr.TransactionResult:
        """The result of the transaction, which is in no ledger."""
        body = xdr.TransactionResultResult(self.code)
        return xdr.TransactionResult(xdr.Int64(self.fee), body, xdr.TransactionResultExt(0))


def check(submission: Submission, holdings: Holdings, limits: Limits) -> None:
    """Raise InvalidError if the network would refuse the transaction now."""
    _check_form(submission)
    _check_resources(submission)
    _check_times(submission, limits)
    if submission.inclusion_fee < limits.inclusion_fee:
        raise InvalidError(Code.txINSUFFICIENT_FEE, fee=limits.inclusion_fee)
    lumens = holdings.amount(LUMENS, submission.source)
    if lumens is None:
        raise InvalidError(Code.txNO_ACCOUNT)
    if submission.sequence != holdings.sequence(submission.source) + 1:
        raise InvalidError(Code.txBAD_SEQ)
    own = [each for each in submission.signatures if submission.is_signed_by(each)]
    if not own:
        raise InvalidError(Code.txBAD_AUTH)
    if lumens - LEAST_LUMENS < submission.body.fee.uint32:
        raise InvalidError(Code.txINSUFFICIENT_BALANCE)
    if len(submission.signatures) > 1:
        raise InvalidError(Code.txBAD_AUTH_EXTRA)


def _check_form(submission: Submission) -> None:
    """One Soroban operation with its resources, and a fee that pays for them."""
    if submission.operation.body.type not in SOROBAN or submission.has_other_source:
        raise InvalidError(Code.txNOT_SUPPORTED)  # of the simulated network only
    if (
        len(submission.body.operations) > 1
        or submission.data is None
        or submission.resource_fee < 0
    ):
        raise InvalidError(Code.txMALFORMED)
    muxed = submission.body.source_account.type is xdr.CryptoKeyType.KEY_TYPE_MUXED_ED25519
    if muxed or submission.body.memo.type is not xdr.MemoType.MEMO_NONE:
        raise _invalid(
            "Value",
            "InvalidInput",
            "Soroban transactions are not allowed to use memo or muxed source account",
        )


def _check_resources(submission: Submission) -> None:
    data = submission.data
    assert data
    for reason, asked, most in _limits(data.resources):
        if asked > most:
            raise _invalid("Budget", "ExceededLimit", reason, asked, most)
    if submission.resource_fee > submission.body.fee.uint32:
        reason = "transaction `sorobanData.resourceFee` is higher than the full transaction fee"
        fees = (submission.resource_fee, submission.body.fee.uint32)
        raise _invalid("Value", "ExceededLimit", reason, *fees)
    if submission.resource_fee < (least := resource_fee(data.resources)):
        reason = (
            "transaction `sorobanData.resourceFee` is lower than the actual Soroban resource fee"
        )
        raise _invalid("Value", "ExceededLimit", reason, submission.resource_fee, least)
    keys = [
        each.to_xdr()
        for each in (*data.resources.footprint.read_only, *data.resources.footprint.read_write)
    ]
    if len(set(keys)) < len(keys):
        reason = (
            "Found duplicate key in the Soroban footprint; every key across read-only and "
            "read-write footprints has to be unique."
        )
        raise _invalid("Storage", "InvalidInput", reason)


def _limits(resources: xdr.SorobanResources) -> Iterator[tuple[str, int, int]]:
    """The text of an error, what is declared, and the limit of the network."""
    entries = len(resources.footprint.read_only) + len(resources.footprint.read_write)
    yield (
        "transaction instructions resources exceed network config limit",
        resources.instructions.uint32,
        MOST_INSTRUCTIONS,
    )
    yield (
        "transaction byte-read resources exceed network config limit",
        resources.disk_read_bytes.uint32,
        MOST_BYTES,
    )
    yield (
        "transaction byte-write resources exceed network config limit",
        resources.write_bytes.uint32,
        MOST_BYTES,
    )
    yield (
        "the number of entries in transaction footprint exceeds the network config limit",
        entries,
        MOST_ENTRIES,
    )


def _check_times(submission: Submission, limits: Limits) -> None:
    least, most = submission.times
    if least > limits.closed_at:
        raise InvalidError(Code.txTOO_EARLY)
    if most and most < limits.latest:
        raise InvalidError(Code.txTOO_LATE)


def _invalid(kind: str, code: str, reason: str, *details: int) -> InvalidError:
    shown = [scval.to_uint64(each) for each in details]
    return InvalidError(Code.txSOROBAN_INVALID, HostError(kind, code, reason, details=shown))
