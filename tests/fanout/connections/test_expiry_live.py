"""Connections over real sockets end when their token expires or is revoked."""

from __future__ import annotations

import time

import pytest

from shared.auth.revocations import Revocation, RevocationStore
from shared.domain.strkeys import ACCOUNT, MUXED, payload_of, strkey
from tests.fanout.replicas import ALICE, BOB, Chain, Replica, StartReplica
from tests.fanout.stopwatch import Stopwatch
from tests.fanout.tokens import REQUIRED, bearer, claims, status, token
from tests.support.sse_client import SseClient
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until


async def test_a_connection_ends_with_its_token(
    auth_replica: Replica, chain: Chain, stream: str, clients: list[SseClient]
) -> None:
    long = await auth_replica.subscribe(f"users={BOB}", headers=bearer(token(BOB)))
    stopwatch, began = Stopwatch(), time.time()
    expires = int(began) + 5
    short = await auth_replica.subscribe(f"users={BOB}", headers=bearer(token(BOB, exp=expires)))
    clients += [short, long]
    (notice,) = await short.wait(1, "token_expiring")
    assert notice.json == {"at": expires}
    await until(short.closed.is_set)
    assert expires - 0.1 <= time.time()
    assert stopwatch.seconds <= expires - began + 1.6
    goodbye = short.events[-1]
    assert (goodbye.name, goodbye.json["reason"]) == ("goodbye", "token_expired")
    assert goodbye.json["retry"] == goodbye.retry
    (live,) = await chain.commit(chain.fee())
    await long.wait_id(live)
    assert short.positions == []
    assert long.named("token_expiring") == []


@pytest.mark.parametrize("what", ["token", "account"])
async def test_a_revocation_ends_live_connections_within_two_seconds(
    auth_replica: Replica,
    stream: str,
    sessions: RevocationStore,
    clients: list[SseClient],
    what: str,
) -> None:
    claim = claims(BOB)
    of_bob = bearer(token(BOB, **claim))
    clients += [await auth_replica.subscribe(f"users={BOB}", headers=of_bob) for _ in range(3)]
    second = await auth_replica.subscribe(f"users={BOB}", headers=bearer(token(BOB)))
    users = [strkey(MUXED, payload_of(ACCOUNT, BOB) + bytes(8)), f"{BOB}:12"]
    of_users = [bearer(token(user, scope="events:all")) for user in users]
    same_account = [second]
    same_account += [await auth_replica.subscribe("all=true", headers=each) for each in of_users]
    alice = await auth_replica.subscribe(f"users={ALICE}", headers=bearer(token(ALICE)))
    ended = clients[:]
    if what == "token":
        revocation = Revocation(token_id=claim["jti"])
    else:
        revocation = Revocation(account=BOB, before=time.time())
        ended += same_account
    clients += [*same_account, alice]
    await sessions.revoke(revocation, seconds=60)
    stopwatch = Stopwatch()
    for client in ended:
        await until(client.closed.is_set)
        assert client.events[-1].json["reason"] == "revoked"
    assert stopwatch.seconds < 2
    assert await status(auth_replica, f"users={BOB}", headers=of_bob) == 401
    assert await status(auth_replica, f"users={ALICE}", headers=bearer(token(ALICE))) == 200
    assert not alice.closed.is_set()
    assert {each.closed.is_set() for each in same_account} == {what == "account"}


async def test_a_revocation_during_an_outage_of_redis_applies_afterwards(
    start_behind_proxy: StartReplica,
    proxy: TcpProxy,
    sessions: RevocationStore,
    clients: list[SseClient],
) -> None:
    replica = await start_behind_proxy(**REQUIRED, probe_seconds=0.2)
    client = await replica.subscribe(f"users={BOB}", headers=bearer(token(BOB, jti="j")))
    clients.append(client)
    proxy.refusing = True
    for link in proxy.links:
        link.cut()
    await sessions.revoke(Revocation(token_id="j"), seconds=60)
    await until(lambda: replica.components.feed.lag_reason)
    assert not client.closed.is_set()
    proxy.refusing = False
    await until(client.closed.is_set)
    assert client.events[-1].json["reason"] == "revoked"
