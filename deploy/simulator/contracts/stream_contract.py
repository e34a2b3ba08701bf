"""The stream contract: its state, its calls, and the events and payments of each call.

What the calls do to one stream is in `calls` and `record`. This module adds what surrounds it: ids,
fees, the token's transfers, and the calls that concern no stream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from deploy.simulator.chain import accounts
from deploy.simulator.chain.accounts import ADMIN, STRANGER, TREASURY, address
from deploy.simulator.chain.operations import Operation
from deploy.simulator.chain.values import Emission, Typed
from deploy.simulator.contracts import announced
from deploy.simulator.contracts import record as rules
from deploy.simulator.contracts.calls import CALLS
from deploy.simulator.contracts.dialect import emission, without
from deploy.simulator.contracts.record import CallRefusedError, Record
from deploy.simulator.contracts.token import event_of, transfer

ASSET = f"{accounts.USDC.code}:{accounts.USDC.issuer}"


@dataclass(slots=True)
class ContractState:
    """All data of the contract. `held` is the contract's balance of the token, in base units."""

    fee_bps: int
    admin: str = field(default_factory=lambda: address(ADMIN))
    treasury: str = field(default_factory=lambda: address(TREASURY))
    streams: dict[str, Record] = field(default_factory=dict)
    held: int = 0


class StreamContract:
    """FlowFi's contract. `token`: the usual token of its streams, which has the asset USDC."""

    def __init__(self, contract_id: str, token: str, fee_bps: int) -> None:
        self.contract_id = contract_id
        self.token = token
        self.state = ContractState(fee_bps)
        self.before = self.state
        """The state before the latest call."""
        self.changed: set[str] = set()
        """The streams that the latest call changed."""
        self._calls: dict[str, Callable[[Operation, int], list[Emission]]] = {
            "initialize": self._initialize,
            "set_fee": self._set_fee,
            "transfer_admin": self._transfer_admin,
            "create": self._create,
            "top_up": self._top_up,
            **dict.fromkeys(CALLS, self._on_stream),
            "emit": self._emit,
            "token": self._token,
            "foreign": self._foreign,
            "fail": self._fail,
        }

    def call(self, operations: Sequence[Operation], now: int) -> list[Emission]:
        """Run the calls of one transaction.

        Raises CallRefusedError if one of the calls is refused. Then no call has an effect.
        """
        self.before = replace(self.state, streams=dict(self.state.streams))
        self.changed = set()
        try:
            return [each for operation in operations for each in self._call(operation, now)]
        except CallRefusedError:
            self.undo()
            raise

    def undo(self) -> None:
        """Go back to the state before the latest call."""
        self.state = self.before
        self.changed = set()

    def stream(self, stream_id: str) -> Record:
        """The record of a stream. Raises CallRefusedError if there is no such stream."""
        found = self.state.streams.get(stream_id)
        if found is None:
            raise CallRefusedError(rules.NOT_FOUND, f"there is no stream {stream_id}")
        return found

    def token_of(self, operation: Operation) -> str:
        """The token that a call moves. A call of a stream that does not exist moves none."""
        if operation.op == "create":
            return self.token if operation.token == "usdc" else accounts.token(operation.token)
        found = self.state.streams.get(operation.stream_id)
        return found.token if found else self.token

    def _call(self, operation: Operation, now: int) -> list[Emission]:
        emissions = self._calls[operation.op](operation, now)
        return [without(each, operation.omit) for each in emissions]

    def _create(self, operation: Operation, now: int) -> list[Emission]:
        made = rules.create(
            Record(
                id=str(len(self.state.streams) + 1),
                sender=address(operation.sender),
                recipient=address(operation.recipient),
                token=self.token_of(operation),
                rate=0,
                deposited=self._net(operation.amount),
                start=now,
                anchor=now,
                cliff=now + operation.cliff if operation.cliff else None,
            ),
            operation.duration,
        )
        paid = self._deposit(made, operation.amount)
        data = {
            "deposited_amount": made.deposited,
            "rate_per_second": made.rate,
            "recipient": made.recipient,
            "sender": made.sender,
            "start_time": made.start,
            "token_address": made.token,
        }
        return [*paid, self._event("stream_created", data, made)]

    def _top_up(self, operation: Operation, now: int) -> list[Emission]:
        stream = self.stream(operation.stream_id)
        net = self._net(operation.amount)
        topped = rules.top_up(stream, net)
        data = {
            "amount": net,
            "new_deposited_amount": topped.deposited,
            "new_end_time": rules.new_end(topped, now),
            "sender": stream.sender,
        }
        paid = self._deposit(stream, operation.amount)
        return [*paid, self._event("stream_topped_up", data, topped)]

    def _on_stream(self, operation: Operation, now: int) -> list[Emission]:
        effect = CALLS[operation.op](self.stream(operation.stream_id), operation, now)
        token = effect.after.token
        paid = [each for to, amount in effect.payments for each in self._pay(token, to, amount)]
        return paid + [self._event(name, data, effect.after) for name, data in effect.events]

    def _initialize(self, operation: Operation, now: int) -> list[Emission]:
        state = self.state
        data = {"admin": state.admin, "fee_rate_bps": state.fee_bps, "treasury": state.treasury}
        return [self._event("initialized", data)]

    def _set_fee(self, operation: Operation, now: int) -> list[Emission]:
        old, treasury = self.state, address(operation.treasury)
        self.state = replace(old, fee_bps=operation.fee_bps, treasury=treasury)
        data = {
            "admin": old.admin,
            "new_fee_rate_bps": operation.fee_bps,
            "new_treasury": treasury,
            "old_fee_rate_bps": old.fee_bps,
            "old_treasury": old.treasury,
        }
        return [self._event("fee_config_updated", data)]

    def _transfer_admin(self, operation: Operation, now: int) -> list[Emission]:
        previous, new = self.state.admin, address(operation.admin)
        self.state = replace(self.state, admin=new)
        data = {"new_admin": new, "previous_admin": previous}
        return [self._event("admin_transferred", data)]

    def _emit(self, operation: Operation, now: int) -> list[Emission]:
        """Emit an announced event, or one that Headrace does not know."""
        name = operation.name or "unheard_of"
        if name in announced.NAMES:
            return [announced.announced(self.contract_id, name, operation.stream_id or "1")]
        return [emission(self.contract_id, name, {"timestamp": now}, operation.stream_id or None)]

    def _foreign(self, operation: Operation, now: int) -> list[Emission]:
        """Events of another contract: one has the name of an event of ours, one has no topics."""
        name = operation.name or "tokens_withdrawn"
        return [
            emission(STRANGER, name, {"amount": operation.amount}, "1"),
            Emission(STRANGER, (), Typed("string", "no topics")),
        ]

    def _token(self, operation: Operation, now: int) -> list[Emission]:
        """Emit the event of a direct call of the token."""
        return [event_of(operation, self.token, ASSET)]

    def _fail(self, operation: Operation, now: int) -> list[Emission]:
        raise CallRefusedError(0, "asked to fail")

    def _event(
        self, name: str, data: Mapping[str, object], after: Record | None = None
    ) -> Emission:
        """Store the record of the stream, and return the event as it appears on the chain."""
        if after is None:
            return emission(self.contract_id, name, data)
        self.changed.add(after.id)
        self.state.streams[after.id] = after
        return emission(self.contract_id, name, data, after.id)

    def _net(self, amount: int) -> int:
        """The amount without the fee. Raises CallRefusedError if the amount is not above 0."""
        if amount <= 0:
            raise CallRefusedError(rules.INVALID_AMOUNT, f"the amount is {amount}")
        return amount - self._fee(amount)

    def _fee(self, amount: int) -> int:
        return amount * self.state.fee_bps // 10_000

    def _deposit(self, stream: Record, amount: int) -> list[Emission]:
        """The gross amount comes in, the fee goes out. `fee_collected` precedes the main event."""
        self.state.held += amount
        moved = [self._transfer(stream.token, stream.sender, self.contract_id, amount)]
        if (fee := self._fee(amount)) == 0:
            return moved
        treasury = self.state.treasury
        data = {"fee_amount": fee, "token": stream.token, "treasury": treasury}
        event = emission(self.contract_id, "fee_collected", data, stream.id)
        return [*moved, *self._pay(stream.token, treasury, fee), event]

    def _pay(self, token: str, to: str, amount: int) -> list[Emission]:
        if amount == 0:
            return []
        self.state.held -= amount
        return [self._transfer(token, self.contract_id, to, amount)]

    def _transfer(self, token: str, payer: str, to: str, amount: int) -> Emission:
        """The transfer event of the token. It counts among the events of the call."""
        asset = {self.token: ASSET, accounts.LUMENS: "native"}.get(token, "")
        return transfer(token, asset, sender=payer, recipient=to, amount=amount)
