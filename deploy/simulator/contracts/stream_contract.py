"""The stream contract: its state, and the events of each call.

The rules are in `shared.domain.commands` and `shared.domain.stream`. This module adds what exists
only on the chain: fees, token transfers, and that a cancelled stream can still be "resumed".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from deploy.simulator.chain.accounts import ADMIN, STRANGER, TREASURY, address
from deploy.simulator.chain.operations import Operation
from deploy.simulator.chain.values import Emission, Typed
from deploy.simulator.contracts.dialect import emission, without
from deploy.simulator.contracts.token import event_of, transfer
from shared.domain import commands
from shared.domain.commands import CommandRefusedError
from shared.domain.events import Event, EventType, Provenance
from shared.domain.stream import Stream, claimable, depletion_time
from shared.domain.transitions import apply, unpaused

ASSET = f"USDC:{address(ADMIN)}"


@dataclass(slots=True)
class ContractState:
    """All data of the contract. `held` is the contract's balance of the token, in base units."""

    fee_bps: int
    admin: str = field(default_factory=lambda: address(ADMIN))
    treasury: str = field(default_factory=lambda: address(TREASURY))
    streams: dict[str, Stream] = field(default_factory=dict)
    held: int = 0


class StreamContract:
    """FlowFi's contract, with one token."""

    def __init__(self, contract_id: str, token: str, fee_bps: int) -> None:
        self.contract_id = contract_id
        self.token = token
        self.state = ContractState(fee_bps)
        self._calls: dict[str, Callable[[Operation, int], list[Emission]]] = {
            "initialize": self._initialize,
            "set_fee": self._set_fee,
            "transfer_admin": self._transfer_admin,
            "create": self._create,
            "top_up": self._top_up,
            "withdraw": self._withdraw,
            "pause": self._pause,
            "resume": self._resume,
            "cancel": self._cancel,
            "transfer_recipient": self._transfer_recipient,
            "modify_rate": self._modify_rate,
            "emit": self._emit,
            "token": self._token,
            "foreign": self._foreign,
            "fail": self._fail,
        }

    def call(self, operations: Sequence[Operation], now: int) -> list[Emission]:
        """Run the calls of one transaction.

        Raises CommandRefusedError if one of the calls is refused. Then no call has an effect.
        """
        before = replace(self.state, streams=dict(self.state.streams))
        try:
            return [each for operation in operations for each in self._call(operation, now)]
        except CommandRefusedError:
            self.state = before
            raise

    def stream(self, stream_id: str) -> Stream:
        """The state of a stream. Raises CommandRefusedError if there is no such stream."""
        found = self.state.streams.get(stream_id)
        if found is None:
            raise CommandRefusedError(f"there is no stream {stream_id}")
        return found

    def _call(self, operation: Operation, now: int) -> list[Emission]:
        emissions = self._calls[operation.op](operation, now)
        return [without(each, operation.omit) for each in emissions]

    def _create(self, operation: Operation, now: int) -> list[Emission]:
        stream_id = str(len(self.state.streams) + 1)
        sender, net = address(operation.sender), self._net(operation.amount)
        events = commands.create(
            stream_id=stream_id,
            sender=sender,
            recipient=address(operation.recipient),
            token=self.token,
            rate=net // operation.duration if operation.duration > 0 else 0,
            deposited=net,
            start_time=now,
            now=now,
        )
        return self._deposit(stream_id, sender, operation.amount, now) + self._publish(events)

    def _top_up(self, operation: Operation, now: int) -> list[Emission]:
        stream = self.stream(operation.stream_id)
        events = commands.top_up(stream, self._net(operation.amount), now)
        paid = self._deposit(stream.id, stream.sender, operation.amount, now)
        return paid + self._publish(events)

    def _withdraw(self, operation: Operation, now: int) -> list[Emission]:
        stream = self.stream(operation.stream_id)
        events = commands.withdraw(stream, now)
        return self._pay(stream.recipient, claimable(stream, now)) + self._publish(events)

    def _pause(self, operation: Operation, now: int) -> list[Emission]:
        return self._publish(commands.pause(self.stream(operation.stream_id), now))

    def _resume(self, operation: Operation, now: int) -> list[Emission]:
        stream = self.stream(operation.stream_id)
        if stream.terminal and stream.paused_at is not None:
            # The contract checks only the pause, and accepts the call. The stream stays cancelled.
            end = depletion_time(unpaused(stream, now))
            facts = {"sender": stream.sender, "newEndTime": end}
            return self._publish([Event(EventType.STREAM_RESUMED, stream.id, now, facts)])
        return self._publish(commands.resume(stream, now))

    def _cancel(self, operation: Operation, now: int) -> list[Emission]:
        stream = self.stream(operation.stream_id)
        events = commands.cancel(stream, now)
        owed = claimable(stream, now)
        refund = stream.deposited - stream.withdrawn - owed
        paid = self._pay(stream.recipient, owed) + self._pay(stream.sender, refund)
        return paid + self._publish(events)

    def _transfer_recipient(self, operation: Operation, now: int) -> list[Emission]:
        """Pay the old recipient the claimable amount, then replace the recipient."""
        stream = self._running(operation.stream_id)
        due = claimable(stream, now)
        facts = {
            "oldRecipient": stream.recipient,
            "newRecipient": address(operation.recipient),
            "settledAmount": str(due),
            "timestamp": now,
        }
        events = [Event(EventType.STREAM_RECIPIENT_TRANSFERRED, stream.id, now, facts)]
        return self._pay(stream.recipient, due) + self._publish(events)

    def _modify_rate(self, operation: Operation, now: int) -> list[Emission]:
        """Apply the new rate from the anchor on. The anchor does not change."""
        stream = self._running(operation.stream_id)
        if operation.rate <= 0:
            raise CommandRefusedError(f"rate must be above 0, not {operation.rate}")
        facts = {
            "sender": stream.sender,
            "oldRatePerSecond": str(stream.rate),
            "newRatePerSecond": str(operation.rate),
            "newEndTime": depletion_time(replace(stream, rate=operation.rate)),
            "timestamp": now,
        }
        return self._publish([Event(EventType.STREAM_RATE_MODIFIED, stream.id, now, facts)])

    def _initialize(self, operation: Operation, now: int) -> list[Emission]:
        state = self.state
        facts = {"admin": state.admin, "feeRateBps": state.fee_bps, "treasury": state.treasury}
        return self._publish([Event(EventType.CONTRACT_INITIALIZED, None, now, facts)])

    def _set_fee(self, operation: Operation, now: int) -> list[Emission]:
        old, treasury = self.state, address(operation.treasury)
        facts = {
            "admin": old.admin,
            "newFeeRateBps": operation.fee_bps,
            "newTreasury": treasury,
            "oldFeeRateBps": old.fee_bps,
            "oldTreasury": old.treasury,
        }
        self.state = replace(old, fee_bps=operation.fee_bps, treasury=treasury)
        return self._publish([Event(EventType.CONTRACT_FEE_CONFIG_UPDATED, None, now, facts)])

    def _transfer_admin(self, operation: Operation, now: int) -> list[Emission]:
        previous, new = self.state.admin, address(operation.admin)
        self.state = replace(self.state, admin=new)
        facts = {"newAdmin": new, "previousAdmin": previous}
        return self._publish([Event(EventType.CONTRACT_ADMIN_TRANSFERRED, None, now, facts)])

    def _emit(self, operation: Operation, now: int) -> list[Emission]:
        """Emit an event that Headrace does not know yet."""
        name = Typed("symbol", operation.name or "protocol_pause_status")
        if not operation.stream_id:
            return [Emission(self.contract_id, (name,), {"timestamp": Typed("u64", now)})]
        stream_id = Typed("u64", int(operation.stream_id))
        data = {"stream_id": stream_id, "timestamp": Typed("u64", now)}
        return [Emission(self.contract_id, (name, stream_id), data)]

    def _foreign(self, operation: Operation, now: int) -> list[Emission]:
        """Events of another contract: one has the name of an event of ours, one has no topics."""
        name = Typed("symbol", operation.name or "tokens_withdrawn")
        data = {"amount": Typed("i128", operation.amount), "stream_id": Typed("u64", 1)}
        return [
            Emission(STRANGER, (name, Typed("u64", 1)), data),
            Emission(STRANGER, (), Typed("string", "no topics")),
        ]

    def _token(self, operation: Operation, now: int) -> list[Emission]:
        """Emit the event of a direct call of the token."""
        return [event_of(operation, self.token, ASSET)]

    def _fail(self, operation: Operation, now: int) -> list[Emission]:
        raise CommandRefusedError("asked to fail")

    def _running(self, stream_id: str) -> Stream:
        stream = self.stream(stream_id)
        if stream.terminal or stream.paused_at is not None:
            raise CommandRefusedError(f"stream {stream_id} is {stream.status}")
        return stream

    def _fee(self, amount: int) -> int:
        return amount * self.state.fee_bps // 10_000

    def _net(self, amount: int) -> int:
        return amount - self._fee(amount)

    def _deposit(self, stream_id: str, payer: str, amount: int, now: int) -> list[Emission]:
        """The gross amount comes in, the fee goes out. `fee_collected` precedes the main event."""
        self.state.held += amount
        moved = [self._transfer(payer, self.contract_id, amount)]
        if (fee := self._fee(amount)) == 0:
            return moved
        treasury = self.state.treasury
        facts = {"feeAmount": str(fee), "token": self.token, "treasury": treasury}
        events = [Event(EventType.STREAM_FEE_COLLECTED, stream_id, now, facts)]
        return moved + self._pay(treasury, fee) + self._publish(events)

    def _pay(self, to: str, amount: int) -> list[Emission]:
        if amount == 0:
            return []
        self.state.held -= amount
        return [self._transfer(self.contract_id, to, amount)]

    def _transfer(self, payer: str, to: str, amount: int) -> Emission:
        """The transfer event of the token. It counts among the events of the call."""
        return transfer(self.token, ASSET, sender=payer, recipient=to, amount=amount)

    def _publish(self, events: Sequence[Event]) -> list[Emission]:
        """Apply the events to the state, and return them as they appear on chain."""
        for event in events:
            if event.stream_id is not None:
                known = self.state.streams.get(event.stream_id)
                made = Provenance(self.contract_id, 0, "", "", None)
                stream = apply(known, replace(event, provenance=made))
                if stream is not None:
                    self.state.streams[event.stream_id] = stream
        return [emission(self.contract_id, event) for event in events]
