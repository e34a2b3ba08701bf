"""Runs a service with one safeguard removed, to show that the tests notice it.

`MUTATION=… SERVICE=services.fanout python -m tests.chaos.mutants` patches the module before the
service is built. Production code has no switch for this.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from services.fanout import app
from services.fanout.connections import expiry, subscriber
from services.fanout.feed import feed, recent, server
from services.indexer.sources.horizon import continuity, history
from services.indexer.sources.rpc import presence
from shared.domain.position import parse_position
from shared.journal import commit
from shared.journal.wire import JournalEntry
from shared.redis import clock, lease
from tests.chaos.webhook_mutants import OF_WEBHOOKS


def fill_in_off() -> None:
    """Lost messages of the channel are not read from the journal."""

    def publish_if_next(self: feed.Feed, entry: JournalEntry, via: str) -> bool:
        if parse_position(entry.position) > self.position:
            self._output.publish(self.recent.append(entry), 0)
        return True

    async def do_nothing(_: Any) -> None:
        return

    feed.Feed._publish_if_next = publish_if_next  # type: ignore[method-assign]
    feed.Feed._catch_up = do_nothing  # type: ignore[method-assign,assignment]


def dedup_off() -> None:
    """An event that was read from the journal is published again when its message arrives."""
    publish_if_next = feed.Feed._publish_if_next

    def repeat(self: feed.Feed, entry: JournalEntry, via: str) -> bool:
        if entry.position in self.recent:
            (item,) = [i for i in self.recent._items if i and i.entry.position == entry.position]
            self._output.publish(item, 0)
            return True
        return publish_if_next(self, entry, via)

    feed.Feed._publish_if_next = repeat  # type: ignore[method-assign]


def replay_off_by_one() -> None:
    """A resume leaves out the first missed event."""
    after = recent.RecentEvents.after

    def skip_first(self: Any, position: Any, topics: Iterable[str], most: int) -> Any:
        events = after(self, position, topics, most)
        return events and events[1:]

    recent.RecentEvents.after = skip_first  # type: ignore[method-assign]


def fencing_off() -> None:
    """An indexer that never notices that it was replaced, and a commit that does not check it.

    Neither the fence nor the cursor of the source is checked, since each alone would be enough.
    """
    for safeguard in ("if holder ~= token then", "if from ~= '' and from ~= cursor then"):
        assert safeguard in commit._SCRIPT
        commit._SCRIPT = commit._SCRIPT.replace(safeguard, "if false then")
    late_lease()


def lease_unwatched() -> None:
    """An indexer that never notices that it was replaced. The fence of the commit must stop it."""
    late_lease()


def late_lease() -> None:
    """The lease always counts as renewed."""
    renew = lease.Lease.renew

    async def never_lost(self: Any) -> bool:
        await renew(self)
        return True

    lease.Lease.renew = never_lost  # type: ignore[method-assign]


def entitlement_off() -> None:
    """Permissions are checked only when a client subscribes, not for each event."""
    subscriber.Subscriber.wants = lambda *_: True  # type: ignore[method-assign]


def endings_off() -> None:
    """A connection continues after its token has expired or was revoked."""
    expiry.ConnectionExpiry.end = lambda *_: None  # type: ignore[method-assign]


def settling_off() -> None:
    """After a failover the API writes at once, although events of the chain are still missing."""
    safeguard = "if history_changed() then"
    assert safeguard in commit._SCRIPT
    commit._SCRIPT = commit._SCRIPT.replace(safeguard, "if false then")


def zero_is_a_ledger() -> None:
    """The 0 in the root of a Horizon that has just started is taken as a ledger number."""
    history.ledger_number = lambda _, body, name: body[name]  # type: ignore[attr-defined,assignment]


def ledgers_uncounted() -> None:
    """Ledgers that Horizon leaves out between two transactions are not looked for."""

    async def do_nothing(*_: Any) -> None:
        return

    continuity.Continuity.check = do_nothing  # type: ignore[method-assign,assignment]


def ledgers_of_rpc_not_looked_for() -> None:
    """Ledgers that are missing in RPC's database are not looked for."""

    async def as_it_is(_: object, cursor: int, window: Any) -> Any:
        return window

    presence.LedgerPresence.before_hole = as_it_is  # type: ignore[method-assign,assignment]


def beginning_unnamed() -> None:
    """The first entry of a journal does not name the position where the journal began."""
    safeguard = "redis.call('HGET', KEYS[2], 'began') or '0-0'"
    assert safeguard in commit._SCRIPT
    commit._SCRIPT = commit._SCRIPT.replace(safeguard, "'0-0'")


def own_clock() -> None:
    """An API that uses the clock of its machine and does not compare it with Redis."""
    clock.RedisClock.__call__ = lambda _: time.time()  # type: ignore[method-assign,assignment]
    clock.RedisClock.skew_error = None  # type: ignore[assignment]


def replica_believed() -> None:
    """A fanout that takes its replica of Redis for the primary."""
    init = server.FeedServer.__init__

    def no_primary(self: Any, *arguments: Any) -> None:
        init(self, *arguments)
        self.primary, self.primary_journal = self.redis, self.journal

    server.FeedServer.__init__ = no_primary  # type: ignore[method-assign,assignment]


def leaking() -> None:
    """A fanout that keeps 500 KB for each event."""
    kept: list[bytes] = []
    publish = feed.Feed._publish_if_next

    def publish_if_next(self: Any, entry: Any, via: str) -> bool:
        kept.append(os.urandom(500_000))
        return publish(self, entry, via)

    feed.Feed._publish_if_next = publish_if_next  # type: ignore[method-assign]


def archive_unread() -> None:
    """A fanout that has no archive: what the journal no longer has is a gap."""
    app.open_archive = lambda *_: None  # type: ignore[attr-defined]


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
    "replica_believed": ("services.fanout", replica_believed),
    "leaking": ("services.fanout", leaking),
    "archive_unread": ("services.fanout", archive_unread),
    **OF_WEBHOOKS,
}


def main() -> int:
    """Patch if the mutation is for this service, then run the service."""
    service, (concerned, patch) = os.environ["SERVICE"], MUTATIONS[os.environ["MUTATION"]]
    if service == concerned:
        patch()
    start: Callable[[], int] = importlib.import_module(f"{service}.__main__").main
    return start()


if __name__ == "__main__":
    sys.exit(main())
