"""The queue of a stellar-core: transactions that wait for a ledger, at most one of an account.

The rules and the answers are those of stellar-core.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from stellar_sdk import xdr

from deploy.simulator.submission.envelope import Submission
from deploy.simulator.submission.validity import InvalidError

BAN_LEDGERS = 10
"""Ledgers in which a transaction is refused again, after it was in a ledger or was given up."""


class SubmissionStatus(StrEnum):
    """The answer to a submitted transaction, if it is no error."""

    PENDING = "PENDING"
    DUPLICATE = "DUPLICATE"
    TRY_AGAIN_LATER = "TRY_AGAIN_LATER"


class Treatment(StrEnum):
    """What a fault does to a transaction that was accepted.

    If another transaction of an account overtakes it, it is in no ledger, as if it was discarded.
    Only the accounts of the simulated network have other transactions.
    """

    INCLUDE = "include"
    DISCARD = "discard"
    OVERTAKE = "overtake"


@dataclass(slots=True)
class Pending:
    """A transaction that waits. `delay` are the ledgers that close without it before."""

    submission: Submission
    treatment: Treatment = Treatment.INCLUDE
    delay: int = 0


class TransactionQueue:
    """The transactions that wait, by their source account, and the hashes that are banned."""

    def __init__(self) -> None:
        self._waiting: dict[str, Pending] = {}
        self._banned: dict[str, int] = {}

    def refusal(self, submission: Submission, ledger: int) -> SubmissionStatus | None:
        """Why the queue does not take the transaction after `ledger`; None if it takes it.

        Raises InvalidError if another transaction of the account waits with a higher number.
        """
        if self._banned.get(submission.hash, 0) > ledger:
            return SubmissionStatus.TRY_AGAIN_LATER
        other = self._waiting.get(submission.source)
        if other is None:
            return None
        if other.submission.hash == submission.hash:
            return SubmissionStatus.DUPLICATE
        if submission.sequence < other.submission.sequence:
            raise InvalidError(xdr.TransactionResultCode.txBAD_SEQ)
        return SubmissionStatus.TRY_AGAIN_LATER

    def add(self, pending: Pending) -> None:
        """Let an accepted transaction wait."""
        self._waiting[pending.submission.source] = pending

    def due(self) -> Iterator[Pending]:
        """Take the transactions of the next ledger. The others wait one ledger less."""
        for source, pending in list(self._waiting.items()):
            if pending.delay:
                pending.delay -= 1
            else:
                del self._waiting[source]
                yield pending

    def ban(self, submission: Submission, ledger: int) -> None:
        """Refuse the transaction until `BAN_LEDGERS` ledgers after `ledger`."""
        self._banned = {each: until for each, until in self._banned.items() if until > ledger}
        self._banned[submission.hash] = ledger + BAN_LEDGERS

    def __len__(self) -> int:
        return len(self._waiting)
