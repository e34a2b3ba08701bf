"""Ends connections when their token expires or is revoked, or when they reach their maximum age.

A connection ends at the `exp` of its token; the client is notified one minute before. When Redis
has lost all data, it has also lost the revocations, so connections with tokens from before the loss
end too. The maximum age exists so that connections move to replicas that were added.

See docs/decisions/0021-expiry-without-a-list.md.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Iterable

from services.fanout import sse
from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.connections.subscriber import Subscriber
from services.fanout.jitter import jittered
from shared.auth.revocations import Revocation, RevocationStore, accounts_of, issued_before
from shared.redis.clock import Clock
from shared.web.problems import Goodbye

NOTICE_SECONDS = 60.0
_BEGINNING = "0-0"
_OVERLAP_SECONDS = 10.0
"""Each revocation is applied at every check for so many seconds.

The token of a connection may be checked just before a revocation, and the connection be registered
only after the first check that applies the revocation.
"""


class ConnectionExpiry:
    """A timing wheel: it has a bucket for each second, with the connections due in that second.

    Each connection is looked at when it starts and then every `every` seconds. A connection is put
    into a bucket only if it is due before the next look, so most connections cost nothing.
    """

    def __init__(
        self,
        registry: SubscriberRegistry,
        *,
        max_age: float,
        retry_ms: int,
        every: float = 15.0,
        clock: Clock = time.time,
    ) -> None:
        """`max_age` and `every` are in seconds. The `exp` of tokens is compared with `clock`."""
        self._clock = clock
        self._registry = registry
        self._horizon = every + 2.0  # seconds: `every`, and 2 s in case the next look is late
        self._max_age = max_age
        self._retry_ms = retry_ms
        self._buckets: dict[int, set[Subscriber]] = {}
        self._last_second = int(time.monotonic())
        self._revoked: deque[tuple[float, Revocation]] = deque()
        # Read the log from its start: a revocation may be logged before the first check.
        self._cursor = _BEGINNING
        self._epoch = 0.0
        self._epoch_seen = -_OVERLAP_SECONDS

    def start(self, subscriber: Subscriber) -> None:
        """Start to count the age of a connection."""
        now = time.monotonic()
        if self._max_age:
            subscriber.max_age_at = now + self._max_age * random.uniform(0.8, 1.0)
        self._schedule(subscriber, now)

    def schedule_due(self, subscribers: Iterable[Subscriber]) -> None:
        """Put the connections that are due soon into the buckets of their seconds."""
        now = time.monotonic()
        for subscriber in subscribers:
            if not subscriber.due_at:
                self._schedule(subscriber, now)

    def forget(self, subscriber: Subscriber) -> None:
        """Forget a connection that ended for another reason."""
        if (bucket := self._buckets.get(subscriber.due_at)) is not None:
            bucket.discard(subscriber)
            if not bucket:
                del self._buckets[subscriber.due_at]

    def tick(self) -> None:
        """Check the connections in the buckets whose second has come."""
        now = int(time.monotonic())
        while self._last_second < now:
            self._last_second += 1
            for subscriber in self._buckets.pop(self._last_second, ()):
                self._check(subscriber)

    def _schedule(self, subscriber: Subscriber, now: float) -> None:
        subscriber.due_at = 0
        at = self._due_time(subscriber, now)
        if at and at < now + self._horizon:
            subscriber.due_at = max(int(at), self._last_second) + 1
            self._buckets.setdefault(subscriber.due_at, set()).add(subscriber)

    def _due_time(self, subscriber: Subscriber, now: float) -> float:
        """The monotonic time of the next step: notice, token's end or maximum age. 0: never."""
        moments = [subscriber.max_age_at] if subscriber.max_age_at else []
        if (left := self._seconds_left(subscriber)) is not None:
            early = 0 if subscriber.expiry_notified else min(left, NOTICE_SECONDS)
            moments.append(now + left - early)
        return min(moments, default=0.0)

    def _check(self, subscriber: Subscriber) -> None:
        now, left = time.monotonic(), self._seconds_left(subscriber)
        if left is not None and left <= 0:
            self.end(subscriber, Goodbye.TOKEN_EXPIRED)
        elif subscriber.max_age_at and now >= subscriber.max_age_at:
            self.end(subscriber, Goodbye.MAX_AGE)
        else:
            if left is not None and left <= NOTICE_SECONDS and not subscriber.expiry_notified:
                subscriber.expiry_notified = True
                self._registry.send(subscriber, sse.token_expiring(subscriber.principal.expires))
            if subscriber.fd >= 0:
                self._schedule(subscriber, now)

    def end(self, subscriber: Subscriber, reason: Goodbye) -> None:
        """End a connection with a goodbye. The goodbye of a client with a backlog is lost."""
        if self._registry.send(subscriber, sse.goodbye(reason, jittered(self._retry_ms))):
            self._registry.disconnect(subscriber, reason)

    async def end_revoked(self, revocations: RevocationStore) -> None:
        """End the connections of tokens that were revoked or that were issued before the epoch."""
        now = time.monotonic()
        news = await revocations.read_since(self._cursor)
        self._cursor = news.cursor
        if news.epoch is not None and news.epoch != self._epoch:
            # After a loss of data the log of revocations is new, so read it from its start.
            self._cursor = _BEGINNING if self._epoch else self._cursor
            self._epoch, self._epoch_seen = news.epoch, now
        if self._epoch_seen > now - _OVERLAP_SECONDS:
            self._end_issued_before(self._epoch)
        self._revoked.extend((now, revocation) for revocation in news.revocations)
        while self._revoked and self._revoked[0][0] < now - _OVERLAP_SECONDS:
            self._revoked.popleft()
        for subscriber in self._affected_by_revocation():
            if any(revocation.ends(subscriber.principal) for _, revocation in self._revoked):
                self.end(subscriber, Goodbye.REVOKED)

    def _end_issued_before(self, epoch: float) -> None:
        for subscriber in self._registry.everyone():
            if issued_before(subscriber.principal, epoch):
                self.end(subscriber, Goodbye.REVOKED)

    def _affected_by_revocation(self) -> list[Subscriber]:
        """The connections that a revocation may concern, found in one pass for all revocations."""
        if not self._revoked:
            return []
        tokens = {revocation.token_id for _, revocation in self._revoked}
        accounts = {revocation.account for _, revocation in self._revoked}
        return [
            s
            for s in self._registry.everyone()
            if s.principal.token_id in tokens or not accounts.isdisjoint(accounts_of(s.principal))
        ]

    def _seconds_left(self, subscriber: Subscriber) -> float | None:
        """Seconds until the token expires; None if it never expires."""
        expires = subscriber.principal.expires
        return None if expires is None else expires - self._clock()
