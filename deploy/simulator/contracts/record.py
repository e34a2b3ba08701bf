"""A stream as the contract stores it, and what each call does to it. Pure.

The rules are written from the contract's rules, and not from `shared.domain`, so that a mistake in
Headrace's own rules cannot hide here. tests/simulator/contracts/test_sequences.py compares them
with answers of the real contract.

See docs/decisions/0080-simulator-has-its-own-rules.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

I128_MAX = (1 << 127) - 1
U64_MAX = (1 << 64) - 1


class Status(StrEnum):
    """The status of a stream, as the contract writes it."""

    ACTIVE = "Active"
    PAUSED = "Paused"
    CANCELLED = "Cancelled"
    COMPLETED = "Completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One stream. Amounts in base units without fees, times in Unix seconds.

    Money accrues from the `anchor` on, but none is claimable before the `cliff`. `active` is False
    after the end of the stream. A cancelled stream whose pause was never ended can still be
    resumed: then its `status` is ACTIVE again, but it stays inactive.
    """

    id: str
    sender: str
    recipient: str
    token: str
    rate: int
    deposited: int
    withdrawn: int = 0
    start: int
    anchor: int
    cliff: int | None = None
    active: bool = True
    paused: bool = False
    paused_at: int | None = None
    status: Status = Status.ACTIVE

    @property
    def held(self) -> int:
        """The money that the contract still holds for the stream."""
        return self.deposited - self.withdrawn if self.active else 0


class CallRefusedError(Exception):
    """The contract refuses the call. `code` is its StreamError; 0 stands for a trap of the host."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason} (error {code})")
        self.code = code


INVALID_AMOUNT, NOT_FOUND, INACTIVE, INVALID_DURATION, INVALID_RATE = 1, 2, 4, 9, 11
IS_PAUSED, NOT_PAUSED, ALREADY_PAUSED = 12, 13, 14


def accrued(record: Record, now: int) -> int:
    """The money that has accrued since the anchor, at most the rest. A pause stops it."""
    until = now
    if record.paused:
        until = record.anchor if record.paused_at is None else record.paused_at
    if record.cliff is not None and until < record.cliff:
        return 0
    left = max(0, record.deposited - record.withdrawn)
    product = record.rate * max(0, until - record.anchor)
    return left if product > I128_MAX else min(product, left)


def claimable(record: Record, now: int) -> int:
    """What `get_claimable_amount` returns."""
    return accrued(record, now) if record.active else 0


def new_end(record: Record, now: int) -> int:
    """The end that an event announces: `now` and the seconds for what has not accrued.

    The contract keeps only 64 bits of the seconds. If the sum does not fit, it refuses the call.
    """
    left = max(0, record.deposited - record.withdrawn) - accrued(record, now)
    end = now + (left // record.rate & U64_MAX)
    if end > U64_MAX:
        raise CallRefusedError(0, "the end does not fit into a u64")
    return end


def create(record: Record, duration: int) -> Record:
    """A new stream. Its rate is the deposit divided by the duration, rounded down."""
    if duration <= 0:
        raise CallRefusedError(INVALID_DURATION, "the duration is 0")
    rate = record.deposited // duration
    if rate <= 0:
        raise CallRefusedError(INVALID_RATE, "the rate is 0")
    return replace(record, rate=rate)


def top_up(record: Record, net: int) -> Record:
    """More money. The anchor stays."""
    _require_active(record)
    if record.deposited + net > I128_MAX:
        raise CallRefusedError(0, "the deposit does not fit into an i128")
    return replace(record, deposited=record.deposited + net)


def withdraw(record: Record, now: int) -> Record:
    """Pay all that has accrued. A stream that has nothing left is completed."""
    _require_active(record)
    if record.paused:
        raise CallRefusedError(IS_PAUSED, f"stream {record.id} is paused")
    amount = accrued(record, now)
    if amount <= 0:
        raise CallRefusedError(INVALID_AMOUNT, f"stream {record.id} has nothing to withdraw")
    paid = replace(record, withdrawn=record.withdrawn + amount, anchor=now)
    done = paid.withdrawn >= paid.deposited
    return replace(paid, active=False, status=Status.COMPLETED) if done else paid


def pause(record: Record, now: int) -> Record:
    """Stop accrual."""
    _require_active(record)
    if record.paused:
        raise CallRefusedError(ALREADY_PAUSED, f"stream {record.id} is paused already")
    return replace(record, paused=True, paused_at=now, status=Status.PAUSED)


def resume(record: Record, now: int) -> Record:
    """Continue accrual. The contract checks only the pause, not whether the stream has ended."""
    if not record.paused:
        raise CallRefusedError(NOT_PAUSED, f"stream {record.id} is not paused")
    length = max(0, now - (now if record.paused_at is None else record.paused_at))
    anchor = min(U64_MAX, record.anchor + length)
    return replace(record, paused=False, paused_at=None, status=Status.ACTIVE, anchor=anchor)


def cancel(record: Record, now: int) -> Record:
    """Pay what has accrued; the rest goes back to the sender. A pause is not ended."""
    _require_active(record)
    paid = record.withdrawn + accrued(record, now)
    return replace(record, withdrawn=paid, active=False, status=Status.CANCELLED, anchor=now)


def unpaused(record: Record) -> Record:
    """The record without its pause."""
    return replace(record, paused=False, paused_at=None)


def transfer(record: Record, recipient: str, now: int) -> Record:
    """Pay what has accrued to the old recipient. The anchor moves to `now`, also in a pause."""
    _require_active(record)
    paid = record.withdrawn + accrued(record, now)
    return replace(record, recipient=recipient, withdrawn=paid, anchor=now)


def modify_rate(record: Record, rate: int, now: int) -> Record:
    """A new rate from `now` on, also in a pause. What had accrued is dropped, and not paid."""
    _require_active(record)
    if rate <= 0:
        raise CallRefusedError(INVALID_RATE, "the rate must be above 0")
    return replace(record, rate=rate, anchor=now)


def _require_active(record: Record) -> None:
    if not record.active:
        raise CallRefusedError(INACTIVE, f"stream {record.id} has ended")
