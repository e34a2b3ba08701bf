"""What each call on an existing stream does: the record after it, the payments and the events.

Pure. A top-up is not here, because it takes a fee (`stream_contract`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from deploy.simulator.chain.accounts import address
from deploy.simulator.chain.operations import Operation
from deploy.simulator.contracts import record as rules
from deploy.simulator.contracts.record import Record


class Effect(NamedTuple):
    """The record after a call, what the contract pays to whom, and its events in their order."""

    after: Record
    payments: tuple[tuple[str, int], ...]
    events: tuple[tuple[str, Mapping[str, object]], ...]


def withdraw(stream: Record, operation: Operation, now: int) -> Effect:
    """The recipient takes all that has accrued."""
    after = rules.withdraw(stream, now)
    amount, to = after.withdrawn - stream.withdrawn, stream.recipient
    withdrawn = ("tokens_withdrawn", {"amount": amount, "recipient": to, "timestamp": now})
    if after.active:
        return Effect(after, ((to, amount),), (withdrawn,))
    completed = ("stream_completed", {"recipient": to, "total_withdrawn": after.withdrawn})
    return Effect(after, ((to, amount),), (withdrawn, completed))


def pause(stream: Record, operation: Operation, now: int) -> Effect:
    """The sender stops accrual."""
    after = rules.pause(stream, now)
    return Effect(after, (), (("stream_paused", {"paused_at": now, "sender": stream.sender}),))


def resume(stream: Record, operation: Operation, now: int) -> Effect:
    """The sender continues accrual."""
    after = rules.resume(stream, now)
    data = {"new_end_time": rules.new_end(stream, now), "sender": stream.sender}
    return Effect(after, (), (("stream_resumed", data),))


def cancel(stream: Record, operation: Operation, now: int) -> Effect:
    """The sender ends the stream. A pause does not end, as in the deployed contract."""
    return _cancelled(stream, rules.cancel(stream, now))


def cancel_with_pause(stream: Record, operation: Operation, now: int) -> Effect:
    """The same, but the pause ends too, as in later versions of the contract."""
    return _cancelled(stream, rules.unpaused(rules.cancel(stream, now)))


def _cancelled(stream: Record, after: Record) -> Effect:
    refund = after.deposited - after.withdrawn
    data = {
        "amount_withdrawn": after.withdrawn,
        "recipient": stream.recipient,
        "refunded_amount": refund,
        "sender": stream.sender,
    }
    payments = ((stream.recipient, after.withdrawn - stream.withdrawn), (stream.sender, refund))
    return Effect(after, payments, (("stream_cancelled", data),))


def transfer_recipient(stream: Record, operation: Operation, now: int) -> Effect:
    """The recipient is paid, and hands the stream to another account."""
    after = rules.transfer(stream, address(operation.recipient), now)
    settled = after.withdrawn - stream.withdrawn
    data = {
        "new_recipient": after.recipient,
        "old_recipient": stream.recipient,
        "settled_amount": settled,
        "timestamp": now,
    }
    return Effect(after, ((stream.recipient, settled),), (("recipient_transferred", data),))


def modify_rate(stream: Record, operation: Operation, now: int) -> Effect:
    """The sender changes the rate."""
    after = rules.modify_rate(stream, operation.rate, now)
    data = {
        "new_end_time": rules.new_end(after, now),
        "new_rate_per_second": after.rate,
        "old_rate_per_second": stream.rate,
        "sender": stream.sender,
        "timestamp": now,
    }
    return Effect(after, (), (("stream_rate_modified", data),))


CALLS: Mapping[str, Callable[[Record, Operation, int], Effect]] = {
    "withdraw": withdraw,
    "pause": pause,
    "resume": resume,
    "cancel": cancel,
    "cancel_with_pause": cancel_with_pause,
    "transfer_recipient": transfer_recipient,
    "modify_rate": modify_rate,
}
"""The calls by the names of `Operation.op`."""
