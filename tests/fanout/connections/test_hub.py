"""Random operations compare the hub with a simple model. The hub's two dictionaries must agree."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from services.fanout.connections.hub import Hub
from tests.support.tier import examples

TOPICS = st.sampled_from(["*", "1", "2", "api-x", "user:GA", "user:GB"])


class HubMachine(RuleBasedStateMachine):
    """Subscribers are numbers. The model maps each subscriber to its set of topics."""

    members = Bundle("members")

    def __init__(self) -> None:
        super().__init__()
        self.hub: Hub[int] = Hub()
        self.model: dict[int, set[str]] = {}
        self.next = 0

    @rule(target=members, topics=st.lists(TOPICS, max_size=5))
    def add(self, topics: list[str]) -> int:
        self.next += 1
        self.hub.add(self.next, topics)
        self.model[self.next] = set(topics)
        return self.next

    @rule(member=members)
    def remove(self, member: int) -> None:
        assert self.hub.remove(member) == len(self.model.pop(member, ()))

    @rule(member=members, topics=st.lists(TOPICS, max_size=3))
    def add_again(self, member: int, topics: list[str]) -> None:
        if member in self.model:
            with pytest.raises(ValueError, match="already"):
                self.hub.add(member, topics)
        else:
            self.hub.add(member, topics)
            self.model[member] = set(topics)

    @rule(topics=st.lists(TOPICS.filter(lambda t: t != "*"), max_size=4))
    def publish(self, topics: list[str]) -> None:
        audience = list(self.hub.audience(topics))
        assert len(audience) == len(set(audience)), "each subscriber is in the audience once"
        assert set(audience) == {
            member
            for member, own in self.model.items()
            if not topics or "*" in own or own & set(topics)
        }

    @invariant()
    def agrees(self) -> None:
        self.hub.check()
        assert len(self.hub) == len(self.model)
        assert self.hub.subscriptions == sum(map(len, self.model.values()))
        assert all(member in self.hub for member in self.model)


TestHub = HubMachine.TestCase
TestHub.settings = settings(max_examples=examples(60), stateful_step_count=40, deadline=None)


def test_check_raises_when_the_dictionaries_disagree() -> None:
    hub: Hub[int] = Hub()
    hub.add(1, ["7"])
    hub._subscribers["7"] = set()
    with pytest.raises(AssertionError):
        hub.check()
