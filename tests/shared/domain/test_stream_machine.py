"""The rules of a stream, compared with a small second model of the contract's description."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.domain import commands
from shared.domain.commands import CommandRefusedError
from shared.domain.events import Event
from shared.domain.stream import I128_MAX, U64_MAX, Stream, end_time, remaining
from shared.domain.transitions import apply
from tests.shared.samples import TOKEN, R, S, due, stored
from tests.support.tier import examples

amounts = st.one_of(
    st.integers(1, 50), st.integers(1, 10**6), st.integers(1, I128_MAX), st.just(I128_MAX)
)
START = 1_000


@dataclass
class Model:
    """The rules of facts/stream-contract.md, section "Rules to mirror", line by line."""

    rate: int
    deposited: int
    start: int
    last_update: int
    withdrawn: int = 0
    refunded: int = 0
    paused_at: int | None = None
    ended: str = ""

    def claimable(self, now: int) -> int:
        if self.ended:
            return 0
        eff_now = now if self.paused_at is None else self.paused_at
        accrued = self.rate * max(eff_now - self.last_update, 0)
        return min(accrued, self.deposited - self.withdrawn)

    def new_end(self, now: int, added: int = 0) -> int:
        before, self.deposited = self.deposited, self.deposited + added
        rest = self.deposited - self.withdrawn - self.claimable(now)
        self.deposited = before
        return max(now, self.start) + rest // self.rate

    def top_up(self, amount: int, now: int) -> bool:
        if self.ended or self.deposited + amount > I128_MAX:
            return False
        if self.new_end(now, amount) > U64_MAX:
            return False
        self.deposited += amount
        return True

    def withdraw(self, now: int) -> bool:
        due = self.claimable(now)
        if self.ended or self.paused_at is not None or due == 0:
            return False
        self.withdrawn, self.last_update = self.withdrawn + due, now
        if self.withdrawn == self.deposited:
            self.ended = "completed"
        return True

    def pause(self, now: int) -> bool:
        if self.ended or self.paused_at is not None:
            return False
        self.paused_at = now
        return True

    def resume(self, now: int) -> bool:
        if self.ended or self.paused_at is None or self.new_end(now) > U64_MAX:
            return False
        self.last_update += now - self.paused_at
        self.paused_at = None
        return True

    def cancel(self, now: int) -> bool:
        if self.ended:
            return False
        self.withdrawn += self.claimable(now)
        self.refunded = self.deposited - self.withdrawn
        self.last_update, self.ended = now, "cancelled"
        return True


class StreamMachine(RuleBasedStateMachine):
    """Any sequence of commands, done by the code and by the model."""

    stream: Stream
    model: Model

    @initialize(rate=amounts, deposited=amounts, own=st.booleans(), delay=st.integers(0, 50))
    def create(self, rate: int, deposited: int, own: bool, delay: int) -> None:
        self.now, self.events = START, 0
        decided = commands.create(
            stream_id="api-1", sender=S, recipient=S if own else R, token=TOKEN, rate=rate,
            deposited=deposited, start_time=START + delay, now=START,
        )  # fmt: skip
        self.model = Model(rate, deposited, START + delay, START + delay)
        stream = apply(None, decided[0])
        assert stream is not None
        self.stream, self.events = stream, 1

    def both(self, allowed: bool, decide: Callable[[], list[Event]]) -> list[Event]:
        try:
            decided = decide()
        except CommandRefusedError:
            assert not allowed, "refused what the contract allows"
            return []
        assert allowed, "allowed what the contract refuses"
        for event in decided:
            self.stream = stored(apply(self.stream, event))
            self.events += 1
        return decided

    @rule(seconds=st.one_of(st.integers(0, 40), st.integers(0, 10**10)))
    def time_passes(self, seconds: int) -> None:
        before = due(self.stream, self.now)
        self.now += seconds
        later = due(self.stream, self.now)
        assert later == before if self.model.paused_at is not None else later >= before

    @rule(amount=amounts)
    def top_up(self, amount: int) -> None:
        anchor = self.stream.last_update_time
        self.both(
            self.model.top_up(amount, self.now),
            lambda: commands.top_up(self.stream, amount, self.now),
        )
        assert self.stream.last_update_time == anchor

    @rule()
    def withdraw(self) -> None:
        decided = self.both(
            self.model.withdraw(self.now), lambda: commands.withdraw(self.stream, self.now)
        )
        assert len(decided) != 2 or self.model.ended == "completed"

    @rule()
    def pause(self) -> None:
        anchor = self.stream.last_update_time
        self.both(self.model.pause(self.now), lambda: commands.pause(self.stream, self.now))
        assert self.stream.last_update_time == anchor

    @rule()
    def resume(self) -> None:
        anchor, paused_at = self.stream.last_update_time, self.stream.paused_at
        if self.both(self.model.resume(self.now), lambda: commands.resume(self.stream, self.now)):
            assert paused_at is not None
            assert self.stream.last_update_time == anchor + self.now - paused_at

    @precondition(lambda self: self.now > START + 30)
    @rule()
    def cancel(self) -> None:
        self.both(self.model.cancel(self.now), lambda: commands.cancel(self.stream, self.now))

    @rule(label=st.text(max_size=5))
    def update(self, label: str) -> None:
        self.both(True, lambda: commands.update(self.stream, {"label": label}, self.now))

    @invariant()
    def agrees(self) -> None:
        ours, model = self.stream, self.model
        assert (ours.rate, ours.deposited) == (model.rate, model.deposited)
        assert (ours.withdrawn, ours.refunded) == (model.withdrawn, model.refunded)
        assert ours.last_update_time == model.last_update
        assert due(ours, self.now) == model.claimable(self.now)
        running = "active" if model.paused_at is None else "paused"
        assert ours.status == (model.ended or running)

    @invariant()
    def conserves(self) -> None:
        ours = self.stream
        assert ours.deposited == ours.withdrawn + ours.refunded + remaining(ours)
        assert min(remaining(ours), ours.withdrawn, ours.refunded) >= 0
        assert remaining(ours) == 0 or not ours.terminal

    @invariant()
    def counts_and_ends(self) -> None:
        assert self.stream.version == self.events
        end = end_time(self.stream)
        if end is not None and not self.stream.terminal and end < U64_MAX:
            left = remaining(self.stream)
            assert due(self.stream, end) == left
            assert left == 0 or due(self.stream, end - 1) < left


TestStreamMachine = StreamMachine.TestCase
TestStreamMachine.settings = settings(
    max_examples=examples(80), stateful_step_count=30, deadline=None
)
