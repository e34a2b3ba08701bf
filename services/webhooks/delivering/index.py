"""Which endpoints an event can be for: a map from topics to endpoints. Pure, and never awaits."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import Generic, TypeVar

from shared.domain.topics import ALL, user_topic
from shared.webhooks.endpoint import Endpoint

E = TypeVar("E", bound=Hashable)

_FEW = 4
"""A topic with more endpoints than this has a set, which needs 216 bytes even for one."""


def topics_of_endpoint(endpoint: Endpoint) -> tuple[str, ...]:
    """The topics under which the events of an endpoint are found. `Endpoint.wants` decides then.

    An endpoint that may see only its owner's events finds them all under the owner's topic.
    """
    topics = endpoint.subscription.topics
    if ALL not in topics:
        return topics
    return (ALL,) if endpoint.sees_all else (user_topic(endpoint.account),)


class EndpointIndex(Generic[E]):
    """The endpoints that get events, by topic."""

    def __init__(self) -> None:
        self._by_topic: dict[str, tuple[E, ...] | set[E]] = {}
        self._topics: dict[E, tuple[str, ...]] = {}

    def __len__(self) -> int:
        return len(self._topics)

    def __contains__(self, endpoint: E) -> bool:
        return endpoint in self._topics

    def add(self, endpoint: E, topics: Sequence[str]) -> None:
        """Add an endpoint, or replace its topics."""
        self.remove(endpoint)
        self._topics[endpoint] = own = tuple(dict.fromkeys(topics))
        for topic in own:
            peers = self._by_topic.get(topic, ())
            if isinstance(peers, set):
                peers.add(endpoint)
            elif len(peers) < _FEW:
                self._by_topic[topic] = (*peers, endpoint)
            else:
                self._by_topic[topic] = {*peers, endpoint}

    def remove(self, endpoint: E) -> None:
        """Remove an endpoint. Nothing happens if it is not here."""
        for topic in self._topics.pop(endpoint, ()):
            peers = self._by_topic[topic]
            if isinstance(peers, set):
                peers.discard(endpoint)
            else:
                self._by_topic[topic] = peers = tuple([e for e in peers if e is not endpoint])
            if not peers:
                del self._by_topic[topic]

    def audience(self, topics: Collection[str]) -> list[E]:
        """The endpoints of an event with these topics, each once. Without topics: all."""
        if not topics:
            return list(self._topics)
        found = [peers for topic in (ALL, *topics) if (peers := self._by_topic.get(topic))]
        if len(found) == 1:
            return list(found[0])
        return list(dict.fromkeys(each for peers in found for each in peers))
