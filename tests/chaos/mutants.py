"""Services with one safeguard taken out, to see that the suite would notice.

`MUTATION=… SERVICE=services.fanout python -m tests.chaos.mutants`: the patch is made before the
service is built; production code knows nothing of it.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from services.fanout.connections import expiry, subscriber
from services.fanout.feed import feed, recent
from services.indexer.sources.horizon import continuity, history
from services.indexer.sources.rpc import presence
from shared.domain.position import parse_position
from shared.journal import commit
from shared.redis import clock, lease


def fill_in_off() -> None:
    """A hole that the channel leaves is not filled in from the journal: it goes on behind it."""

    def publish_if_next(self: Any, entry: Any, via: str) -> bool:
        if parse_position(entry.position) > self.position:
            self._publish(self.recent.append(entry), 0)
        return True

    async def do_nothing(_: Any) -> None:
        return

    feed.Feed._publish_if_next = publish_if_next  # type: ignore[method-assign]
    feed.Feed._catch_up = do_nothing  # type: ignore[method-assign,assignment]


def dedup_off() -> None:
    """What was published from the journal is published again when the channel brings it."""
    publish_if_next = feed.Feed._publish_if_next

    def repeat(self: Any, entry: Any, via: str) -> bool:
        if entry.position in self.recent:
            (item,) = [i for i in self.recent._items if i and i.entry.position == entry.position]
            self._publish(item, 0)
            return True
        return publish_if_next(self, entry, via)

    feed.Feed._publish_if_next = repeat  # type: ignore[method-assign]


def replay_off_by_one() -> None:
    """A resume leaves out the first of what was missed."""
    after = recent.RecentEvents.after

    def skip_first(self: Any, position: Any, topics: Iterable[str]) -> Any:
        events = after(self, position, topics)
        return events and events[1:]

    recent.RecentEvents.after = skip_first  # type: ignore[method-assign]


def fencing_off() -> None:
    """An indexer that never notices that it was replaced, and a commit that does not ask.

    Neither for the fence nor for the cursor that was read from, since each alone would hold.
    """
    for safeguard in ("if holder ~= token then", "if from ~= '' and from ~= cursor then"):
        assert safeguard in commit._SCRIPT
        commit._SCRIPT = commit._SCRIPT.replace(safeguard, "if false then")
    late_lease()


def lease_unwatched() -> None:
    """An indexer that never notices that it was replaced; the commit's fence has to hold."""
    late_lease()


def late_lease() -> None:
    """Whatever Redis says, the lease counts as renewed."""
    renew = lease.Lease.renew

    async def never_lost(self: Any) -> bool:
        await renew(self)
        return True

    lease.Lease.renew = never_lost  # type: ignore[method-assign]


def entitlement_off() -> None:
    """Rights are looked at in the handshake only, not at each event."""
    subscriber.Subscriber.wants = lambda *_: True  # type: ignore[method-assign]


def endings_off() -> None:
    """A connection goes on though its token has expired or was revoked."""
    expiry.ConnectionExpiry._end = lambda *_: None  # type: ignore[method-assign]


def settling_off() -> None:
    """An API that writes at once after a failover, whatever the chain's lost events still are."""
    safeguard = "if history_changed() then"
    assert safeguard in commit._SCRIPT
    commit._SCRIPT = commit._SCRIPT.replace(safeguard, "if false then")


def zero_is_a_ledger() -> None:
    """What a Horizon says that has just started is believed: that it has no history any more."""
    history.ledger_number = lambda _, body, name: body[name]  # type: ignore[attr-defined,assignment]


def ledgers_uncounted() -> None:
    """What Horizon leaves out between two transactions is not looked for."""

    async def do_nothing(*_: Any) -> None:
        return

    continuity.Continuity.check = do_nothing  # type: ignore[method-assign,assignment]


def ledgers_of_rpc_not_looked_for() -> None:
    """What RPC's database lacks is passed over, as getEvents passes over it."""

    async def as_it_is(_: object, cursor: int, window: Any) -> Any:
        return window

    presence.LedgerPresence.before_hole = as_it_is  # type: ignore[method-assign,assignment]


def beginning_unnamed() -> None:
    """The first entry of a journal does not name where it began, as if nothing had been before."""
    safeguard = "redis.call('HGET', KEYS[2], 'began') or '0-0'"
    assert safeguard in commit._SCRIPT
    commit._SCRIPT = commit._SCRIPT.replace(safeguard, "'0-0'")


def own_clock() -> None:
    """An API that goes by the clock of its machine, and does not doubt it."""
    clock.RedisClock.__call__ = lambda _: time.time()  # type: ignore[method-assign,assignment]
    clock.RedisClock.skew_error = None  # type: ignore[assignment]


def leaking() -> None:
    """A fanout that keeps 100 KB of each event that it publishes."""
    kept: list[bytes] = []
    publish = feed.Feed._publish_if_next

    def publish_if_next(self: Any, entry: Any, via: str) -> bool:
        kept.append(os.urandom(100_000))
        return publish(self, entry, via)

    feed.Feed._publish_if_next = publish_if_next  # type: ignore[method-assign]


MUTATIONS: dict[str, tuple[str, Callable[[], None]]] = {
    "fill_in_off": ("services.fanout", fill_in_off),
    "dedup_off": ("services.fanout", dedup_off),
    "replay_off_by_one": ("services.fanout", replay_off_by_one),
    "fencing_off": ("services.indexer", fencing_off),
    "lease_unwatched": ("services.indexer", lease_unwatched),
    "entitlement_off": ("services.fanout", entitlement_off),
    "endings_off": ("services.fanout", endings_off),
    "settling_off": ("services.api", settling_off),
    "zero_is_a_ledger": ("services.indexer", zero_is_a_ledger),
    "ledgers_uncounted": ("services.indexer", ledgers_uncounted),
    "ledgers_of_rpc_not_looked_for": ("services.indexer", ledgers_of_rpc_not_looked_for),
    "beginning_unnamed": ("services.indexer", beginning_unnamed),
    "own_clock": ("services.api", own_clock),
    "leaking": ("services.fanout", leaking),
}


def main() -> int:
    """Patch when the service is the one concerned, then run it as ever."""
    service, (concerned, patch) = os.environ["SERVICE"], MUTATIONS[os.environ["MUTATION"]]
    if service == concerned:
        patch()
    start: Callable[[], int] = importlib.import_module(f"{service}.__main__").main
    return start()


if __name__ == "__main__":
    sys.exit(main())
