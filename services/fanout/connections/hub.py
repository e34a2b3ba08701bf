"""The hub: which subscriber has which topics. Two dictionaries, and no function awaits. Pure."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from typing import Generic, TypeVar

from shared.domain.topics import ALL

S = TypeVar("S", bound=Hashable)

_EVERYTHING = (ALL,)
_FEW = 4
"""A topic with more subscribers than this has a set, which needs 216 bytes even for one."""

Subscribers = tuple[S, ...] | set[S]
"""The subscribers of a topic, at least one."""


class Hub(Generic[S]):
    """Maps topics to subscribers and subscribers to topics. Both maps always agree (`check`)."""

    def __init__(self) -> None:
        self._subscribers: dict[str, Subscribers[S]] = {}
        self._topics: dict[S, tuple[str, ...]] = {}
        self.subscriptions = 0

    def __len__(self) -> int:
        return len(self._topics)

    def __contains__(self, subscriber: S) -> bool:
        return subscriber in self._topics

    def split(self, subscribers: Iterable[S]) -> tuple[list[S], list[S]]:
        """Those of the subscribers that are in the hub, and those that are not."""
        inside: list[S] = []
        outside: list[S] = []
        for subscriber in subscribers:
            (inside if subscriber in self._topics else outside).append(subscriber)
        return inside, outside

    def add(self, subscriber: S, topics: Iterable[str]) -> None:
        """Add a subscriber with its topics. A subscriber can be added only once."""
        if subscriber in self._topics:
            raise ValueError("the subscriber is in the hub already")
        own = tuple(dict.fromkeys(topics))
        # To save memory, all subscribers to everything share one tuple.
        own = _EVERYTHING if own == _EVERYTHING else own
        self._topics[subscriber] = own
        for topic in own:
            self._add(topic, subscriber)
        self.subscriptions += len(own)

    def remove(self, subscriber: S) -> int:
        """Remove a subscriber. Returns how many topics it had, or 0 if it was not in the hub."""
        own = self._topics.pop(subscriber, ())
        for topic in own:
            self._remove(topic, subscriber)
        self.subscriptions -= len(own)
        return len(own)

    def topics_of(self, subscriber: S) -> tuple[str, ...] | None:
        """The topics of a subscriber; None if it is not in the hub."""
        return self._topics.get(subscriber)

    def subscribers_of(self, topic: str) -> Collection[S]:
        """The subscribers with this topic. Like `audience`, this may be the hub's own set."""
        return self._subscribers.get(topic, ())

    def _add(self, topic: str, subscriber: S) -> None:
        peers = self._subscribers.get(topic, ())
        if isinstance(peers, set):
            peers.add(subscriber)
        elif len(peers) < _FEW:
            self._subscribers[topic] = (*peers, subscriber)
        else:
            self._subscribers[topic] = {*peers, subscriber}

    def _remove(self, topic: str, subscriber: S) -> None:
        peers = self._subscribers[topic]
        if isinstance(peers, set):
            peers.discard(subscriber)
        else:
            self._subscribers[topic] = peers = tuple([s for s in peers if s != subscriber])
        if not peers:
            del self._subscribers[topic]

    def audience(self, topics: Iterable[str]) -> Collection[S]:
        """The subscribers of an event with these topics, each once.

        An event without topics is for all. The result may be the hub's own set: finish with it
        before you add or remove a subscriber.
        """
        topics = tuple(topics)
        if not topics:
            return self._topics.keys()
        get = self._subscribers.get
        found: Subscribers[S] = get(ALL, ())
        for topic in topics:
            if peers := get(topic):
                found = {*found, *peers} if found else peers
        return found

    def check(self) -> None:
        """Raise AssertionError unless both dictionaries and the counter agree (for tests)."""
        pairs = {(t, s) for t, peers in self._subscribers.items() for s in peers}
        assert pairs == {(t, s) for s, own in self._topics.items() for t in own}
        assert self.subscriptions == len(pairs)
        assert all(self._subscribers.values())
