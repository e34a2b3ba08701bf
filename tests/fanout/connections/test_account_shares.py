"""All logins of one account count together: in its limit of connections, and if it is slow."""

from __future__ import annotations

from stellar_sdk import MuxedAccount

from services.fanout.connections.registry import SubscriberRegistry
from shared.auth.principal import Principal
from tests.fanout.peers import MakePeer, RecordingBroadcaster, item
from tests.fanout.replicas import ALICE, BOB, StartReplica
from tests.fanout.tokens import REQUIRED, ask, bearer, token
from tests.support.sse_client import SseClient


async def test_all_logins_of_an_account_share_its_limit(
    start: StartReplica, clients: list[SseClient]
) -> None:
    replica = await start(**REQUIRED, connections_per_user=2)
    muxed = [MuxedAccount(BOB, number).account_muxed or "" for number in range(2)]
    for user in (*muxed, f"{BOB}:7"):
        header = bearer(token(user, scope="events:all"))
        clients.append(await ask(replica, "all=true", headers=header))
        await clients[-1].wait(1)
    assert [client.events[0].name for client in clients] == ["message", "message", "overload"]


async def test_the_account_that_holds_the_most_is_closed_first(
    registry: SubscriberRegistry, make_peer: MakePeer, broadcaster: RecordingBroadcaster
) -> None:
    """Its logins count together. A client that has been slow for longer keeps its connection."""
    honest, *attackers = peers = [make_peer("7") for _ in range(12)]
    users = (f"{ALICE}:{number}" for number, _ in enumerate(attackers))
    for peer, account in zip(peers, (BOB, *users), strict=True):
        peer.subscriber.principal = Principal(account=account, scopes=frozenset({"events:all"}))
    await broadcaster.delivered(item("7", size=9000))
    for peer in peers:
        peer.subscriber.behind_since -= 60 if peer is honest else 3
    registry.check_slow()
    assert honest.subscriber.fd >= 0
    assert sum(peer.subscriber.fd < 0 for peer in attackers) == 2
