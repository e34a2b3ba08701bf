"""One page of connections: bounded work, ids that name one connection, backlog and address."""

from __future__ import annotations

import socket
import time

import pytest

from services.fanout.connections import listing
from services.fanout.connections.listing import ConnectionQuery, list_connections
from services.fanout.connections.registry import SubscriberRegistry
from services.fanout.reasons import EndReason
from shared.auth.principal import Principal
from tests.fanout.peers import MakePeer
from tests.fanout.replicas import ALICE, BOB


@pytest.mark.io
def test_the_address_of_a_socket_of_ipv6_is_whole() -> None:
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with server, socket.create_connection(server.getsockname()[:2]) as client:
        peer, _ = server.accept()
        with peer:
            assert listing._peer(peer.fileno()) == "::1"
            assert peer.fileno() >= 0, "still open"
            client.close()


async def test_a_later_connection_with_the_same_descriptor_has_another_id(
    registry: SubscriberRegistry, make_peer: MakePeer
) -> None:
    seen: dict[str, int] = {}
    for _ in range(20):
        peer = make_peer("*")
        seen[registry.id_of(peer.subscriber)] = peer.subscriber.fd
        registry.disconnect(peer.subscriber, EndReason.GONE)
    assert len(seen) == 20
    assert len(set(seen.values())) < 20, "descriptors were used again"
    last = make_peer("*")
    assert not any(registry.find(old) for old in seen)
    assert registry.find(registry.id_of(last.subscriber)) is last.subscriber


async def test_ids_of_another_process_name_no_connection(
    registry: SubscriberRegistry, make_peer: MakePeer
) -> None:
    make_peer("*")
    other = SubscriberRegistry(backlog_bytes=1, total_backlog_bytes=1, write_seconds=1)
    peers = [make_peer("*") for _ in range(5)]
    for peer in peers:
        other._ids.begin(peer.subscriber.fd)
        assert registry.find(other.id_of(peer.subscriber)) is None
    other.close()


async def test_a_slow_subscriber_is_shown_with_its_backlog(
    registry: SubscriberRegistry, make_peer: MakePeer
) -> None:
    peer = make_peer(*(str(n) for n in range(1, 31)))
    behind = time.time()
    while not peer.subscriber.backlog_bytes:
        registry.send(peer.subscriber, b"x" * 1000)
    (item,), following = list_connections(registry, ConnectionQuery(), now=behind)
    assert item["backlogBytes"] == peer.subscriber.backlog_bytes
    assert item["behindSince"] == pytest.approx(behind, abs=5)
    assert (item["topicCount"], item["topics"]) == (30, tuple(str(n) for n in range(1, 21)))
    assert item["address"] is None, "a Unix socket has none"
    assert following is None
    (item,), _ = list_connections(registry, ConnectionQuery(), now=None)
    assert (item["connectedAt"], item["behindSince"]) == (None, None)


async def test_one_page_looks_at_a_bounded_number_of_descriptors(
    registry: SubscriberRegistry, make_peer: MakePeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "SCANNED", 4)
    for _ in range(12):
        make_peer("*", principal=Principal(BOB, frozenset()))
    wanted = make_peer("*", principal=Principal(ALICE, frozenset())).subscriber
    looks, found = 0, []
    start: int | None = 0
    while start is not None:
        query = ConnectionQuery(account=ALICE, start=start)
        items, following = list_connections(registry, query, now=None)
        assert following is None or following <= start + 4
        found += [item["id"] for item in items]
        start, looks = following, looks + 1
    assert found == [registry.id_of(wanted)]
    assert looks == -(-registry.descriptors // 4)
