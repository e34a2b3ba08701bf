"""Lists the connections of this process, in pages. The work for a page is bounded.

A page has at most MOST_ITEMS connections, and at most SCANNED descriptors are looked at for it. So
a page can be short, or empty, although more connections follow. `next` says where to continue.

See docs/decisions/0111-connections-are-listed-and-ended.md.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address

from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.connections.subscriber import Subscriber
from services.fanout.frame import Encoding
from shared.domain.strkeys import account_of_login
from shared.web.client_ip import UNKNOWN, client_address

MOST_ITEMS = 200
SCANNED = 2000
"""Descriptors looked at for one page. With M… accounts, which must be decoded, this takes 7 ms."""
_SHOWN = 20
"""Topics shown of one connection. A connection can have 100."""

Networks = Collection[IPv4Network | IPv6Network]


@dataclass(frozen=True, slots=True)
class ConnectionQuery:
    """Which connections are listed. An empty text is no filter.

    `topic` finds the subscriptions to exactly this topic, not those to all events. `start` is the
    descriptor with which the page begins.
    """

    account: str = ""
    topic: str = ""
    limit: int = 100
    start: int = 0


def list_connections(
    registry: SubscriberRegistry,
    query: ConnectionQuery,
    *,
    now: float | None,
    trusted_proxies: Networks = (),
) -> tuple[list[dict[str, object]], int | None]:
    """A page of connections, and the start of the next page. `now`: Unix seconds, if known."""
    items: list[dict[str, object]] = []
    end = query.start + SCANNED
    offset = None if now is None else now - time.monotonic()
    for subscriber in _matching(registry, query, end):
        if len(items) == query.limit:
            return items, subscriber.fd
        items.append(_item(registry, subscriber, offset, trusted_proxies))
    return items, end if end < registry.descriptors else None


def _matching(
    registry: SubscriberRegistry, query: ConnectionQuery, end: int
) -> Iterator[Subscriber]:
    account = account_of_login(query.account)
    with_topic = registry.hub.subscribers_of(query.topic)
    for subscriber in registry.between(query.start, end):
        if account and account_of_login(subscriber.principal.account) != account:
            continue
        if query.topic and subscriber not in with_topic:
            continue
        yield subscriber


def _item(
    registry: SubscriberRegistry, s: Subscriber, offset: float | None, trusted_proxies: Networks
) -> dict[str, object]:
    topics = registry.hub.topics_of(s)

    def unix(monotonic: float) -> float | None:
        return None if offset is None else round(monotonic + offset, 1)

    return {
        "id": registry.id_of(s),
        "account": s.principal.account or None,
        "address": _address(s, trusted_proxies),
        "connectedAt": unix(s.joined_at),
        "replaying": topics is None,
        "topics": None if topics is None else topics[:_SHOWN],
        "topicCount": None if topics is None else len(topics),
        "types": sorted(s.types) if s.types else None,
        "view": "compact" if s.encoding & Encoding.COMPACT else "full",
        "gzip": bool(s.encoding & Encoding.GZIP),
        "events": s.events,
        "backlogBytes": s.backlog_bytes,
        "behindSince": None if s.backlog is None else unix(s.behind_since),
    }


def _address(subscriber: Subscriber, trusted_proxies: Networks) -> str | None:
    """The client's address, from its lease or its socket. None behind a trusted proxy.

    The lease has the address only if CONNECTIONS_PER_IP is set; of IPv6 it has the /64 network.
    """
    if subscriber.lease and subscriber.lease[2]:
        return subscriber.lease[2]
    address = client_address(_peer(subscriber.fd), [], ())
    if address == UNKNOWN or any(ip_address(address) in network for network in trusted_proxies):
        return None
    return address


def _peer(fd: int) -> str | None:
    """The address of the other end of a socket; None if it has none any more."""
    with suppress(OSError):
        sock = socket.socket(fileno=fd)  # finds the family, which the subscriber does not keep
        try:
            place = sock.getpeername()
            return str(place[0]) if isinstance(place, tuple) else None  # else a Unix socket
        finally:
            sock.detach()
    return None
