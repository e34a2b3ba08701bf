"""What the network does with submitted transactions: it checks, queues and executes them.

See docs/decisions/0115-simulator-executes-transactions.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from deploy.simulator.chain.accounts import (
    ADMIN,
    ALL_NAMES,
    ASSETS,
    GOLD,
    LUMENS,
    SPONSOR,
    address,
)
from deploy.simulator.chain.envelopes import BASE_FEE
from deploy.simulator.chain.holdings import Holding
from deploy.simulator.chain.ledger import Transaction
from deploy.simulator.contracts.token_transfers import supplied, transfers
from deploy.simulator.execution import LedgerSlot
from deploy.simulator.submission.application import apply
from deploy.simulator.submission.envelope import Submission
from deploy.simulator.submission.queue import Pending, SubmissionStatus, TransactionQueue
from deploy.simulator.submission.state import State
from deploy.simulator.submission.validity import InvalidError, Limits, check

FIRST_AMOUNT = 10**15
"""What each account has of each of its tokens at first, in base units."""
RESERVED_SECONDS = 60
"""How long the script leaves an account alone after a simulation for it."""


class Submissions:
    """The queue, the least inclusion fee (stroops), and the accounts that clients use now."""

    def __init__(self, state: State, ledger: int) -> None:
        self.state = state
        self.queue = TransactionQueue()
        self.inclusion_fee = BASE_FEE
        self._reserved: dict[str, int] = {}
        for name in ALL_NAMES:
            self.fund(ledger, address(name), _first_amounts(name))

    def fund(self, ledger: int, account: str, amounts: Mapping[str, int]) -> None:
        """Set what an account has, by the addresses of the tokens. Creates it if it is new.

        As on the real network, the sequence number of a new account depends on the ledger.
        """
        holdings = self.state.holdings
        if holdings.amount(LUMENS, account) is None:
            holdings.put_sequence(ledger, account, ledger << 32)
            amounts = {LUMENS: FIRST_AMOUNT, **amounts}
        holdings.put(ledger, {Holding(token, account): n for token, n in amounts.items()})

    def send(self, pending: Pending, ledger: int, limits: Limits) -> SubmissionStatus:
        """Queue a transaction after `ledger`. Raises InvalidError if the network refuses it."""
        submission = pending.submission
        if refused := self.queue.refusal(submission, ledger):
            return refused
        check(submission, self.state.holdings, limits)
        self.queue.add(pending)
        return SubmissionStatus.PENDING

    def include(self, submission: Submission, slot: LedgerSlot) -> Transaction | None:
        """Execute a transaction in its ledger. None if it is not valid any more."""
        self.queue.ban(submission, slot.ledger)
        limits = Limits(slot.closed_at, slot.closed_at, self.inclusion_fee)
        try:
            check(submission, self.state.holdings, limits)
        except InvalidError:
            return None
        return apply(submission, self.state, slot, self.inclusion_fee)

    def record(self, transaction: Transaction) -> None:
        """Let a transaction of the script move its amounts. None of them is refused."""
        holdings, signed = self.state.holdings, transaction.signed
        events = (event for _, event in transaction.events())
        holdings.put(transaction.ledger, supplied(holdings.amount, transfers(events)))
        payer = Holding(LUMENS, signed.fee_source)
        lumens = (holdings.amount(*payer) or 0) - transaction.fee_charged
        holdings.put(transaction.ledger, {payer: lumens})

    def reserve(self, account: str, now: int) -> None:
        """Keep the script from using an account, so that its sequence number stays."""
        self._reserved = {each: until for each, until in self._reserved.items() if until > now}
        self._reserved[account] = now + RESERVED_SECONDS

    def release(self, account: str) -> None:
        """Let the script use it again."""
        self._reserved.pop(account, None)

    def is_reserved(self, account: str, now: int) -> bool:
        """True if a client has read this account, or simulated its transaction, a while ago."""
        return self._reserved.get(account, 0) > now

    def free_name(self, now: int) -> str:
        """The name of the first account that no client uses; the sponsor's if all are in use."""
        names = (each for each in ALL_NAMES if not self.is_reserved(address(each), now))
        return next(names, SPONSOR)


def _first_amounts(name: str) -> dict[str, int]:
    """All accounts have lumens and gold. The issuer and the sponsor have no trustline."""
    trusts = () if name in (ADMIN, SPONSOR) else ASSETS
    return dict.fromkeys((GOLD, *trusts), FIRST_AMOUNT)
