"""Limits on connections: for each account and address over all replicas, and for each process."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.journal.keys import Keys
from shared.runtime.token_bucket import TokenBucket
from tests.fanout.replicas import ALICE, BOB, StartReplica
from tests.fanout.tokens import (
    REQUIRED,
    ask,
    ask_first_event,
    bearer,
    count_connected,
    status,
    token,
)
from tests.support.sse_client import SseClient
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until

PER_USER = REQUIRED | {"connections_per_user": 10}
PER_IP = {"connections_per_ip": 10, "trusted_proxies": "127.0.0.0/8"}


async def test_the_limit_of_an_account_is_exact_over_two_replicas(
    start: StartReplica, clients: list[SseClient]
) -> None:
    replicas = [await start(**PER_USER), await start(**PER_USER)]
    query, header = f"users={BOB}", bearer(token(BOB))
    clients += await asyncio.gather(
        *(ask_first_event(replicas[n % 2], query, headers=header) for n in range(50))
    )
    assert count_connected(clients) == 10
    for client in clients:
        if client.events[0].name == "overload":
            await until(client.closed.is_set)
            (event,) = client.events
            assert (event.own_id, event.json["retry"]) == (None, event.retry)
            assert 2000 <= (event.retry or 0) <= 6000
    assert await status(replicas[0], f"users={ALICE}", headers=bearer(token(ALICE))) == 200


@pytest.mark.parametrize(("settings", "limit"), [({}, 100), ({"connections_per_user": 0}, 0)])
async def test_an_account_has_a_limit_unless_it_is_switched_off(
    start: StartReplica, settings: dict[str, int], limit: int
) -> None:
    replica = await start(**REQUIRED, **settings)
    limits = replica.components.limits
    taken = await asyncio.gather(*(limits.take(BOB, "") for _ in range(101)))
    assert taken.count("user") == (1 if limit else 0)
    assert len(limits) == limit


async def test_the_limit_of_an_address_is_exact_over_two_replicas(
    start: StartReplica, clients: list[SseClient]
) -> None:
    replicas = [await start(**PER_IP), await start(**PER_IP)]
    for address, limit in (("203.0.113.7", 10), ("2001:db8::%d", 10)):
        some = await asyncio.gather(
            *(
                ask_first_event(
                    replicas[n % 2],
                    "all=true",
                    headers={"X-Forwarded-For": address.replace("%d", str(n))},
                )
                for n in range(50)
            )
        )
        clients += some
        assert count_connected(some) == limit
    assert await status(replicas[1], "all=true") == 200, "another address"


async def test_a_refusal_by_status_has_retry_after(
    start: StartReplica, clients: list[SseClient]
) -> None:
    replica = await start(**REQUIRED, connections_per_user=1)
    header = bearer(token(BOB))
    clients.append(await replica.subscribe(f"users={BOB}", headers=header))
    client = await ask(replica, f"users={BOB}&on_overload=status", headers=header)
    problem = json.loads(await client.whole())
    assert (client.status, problem["type"]) == (429, "/problems/overloaded")
    assert 2 <= int(client.headers["retry-after"]) <= 6
    assert "account" in problem["detail"]
    assert await replica.metric("turned_away_total", reason="per_user") >= 1


@pytest.mark.parametrize(
    ("proxies", "forwarded", "counted"),
    [
        ("", "203.0.113.7", "127.0.0.1"),
        ("10.0.0.0/8", "203.0.113.7", "127.0.0.1"),
        ("127.0.0.0/8", "203.0.113.7", "203.0.113.7"),
        ("127.0.0.0/8", "6.6.6.6, 203.0.113.7", "203.0.113.7"),
        ("127.0.0.0/8,10.0.0.0/8", "6.6.6.6, 203.0.113.7, 10.1.2.3", "203.0.113.7"),
        ("127.0.0.0/8", "2001:db8:0:1::5", "2001:db8:0:1::/64"),
        ("127.0.0.0/8", "no address", "127.0.0.1"),
    ],
)
async def test_x_forwarded_for_is_used_only_from_trusted_proxies(  # noqa: PLR0917 - a table's row
    start: StartReplica,
    clients: list[SseClient],
    redis: Redis,
    keys: Keys,
    proxies: str,
    forwarded: str,
    counted: str,
) -> None:
    replica = await start(connections_per_ip=5, trusted_proxies=proxies)
    clients.append(await replica.subscribe(headers={"X-Forwarded-For": forwarded}))
    assert await redis.zcard(keys.connections("ip", counted)) == 1


async def test_a_process_accepts_a_limited_number_of_connections_a_second(
    start: StartReplica, clients: list[SseClient]
) -> None:
    replica = await start(handshakes_per_second=5)
    began = time.monotonic()
    clients += await asyncio.gather(*(ask_first_event(replica, "all=true") for _ in range(40)))
    passed = time.monotonic() - began
    assert 5 <= count_connected(clients) <= 5 + 5 * passed + 1

    async def again() -> bool:
        return await status(replica, "all=true") == 200

    await until(again)
    client = await ask(replica, "all=true&on_overload=status")
    clients.append(client)


def test_the_token_bucket_refills_evenly_up_to_one_second() -> None:
    rate = TokenBucket(4)
    moments = [second + tenth / 10 for second in range(5) for tenth in range(10)]
    got = Counter(int(moment) for moment in moments if rate.take(100 + moment))
    assert got[0] == 4 + 3
    assert all(got[second] == 4 for second in range(1, 5))
    assert sum(rate.take(1000.0) for _ in range(9)) == 4
    assert all(TokenBucket(0).take(0.0) for _ in range(100))


async def test_simultaneous_connections_do_not_exceed_max_connections(
    start: StartReplica, clients: list[SseClient]
) -> None:
    replica = await start(**REQUIRED, max_connections=7)
    header = bearer(token(BOB))
    clients += await asyncio.gather(
        *(ask_first_event(replica, f"users={BOB}", headers=header) for _ in range(40))
    )
    assert count_connected(clients) == 7
    assert replica.components.registry.count == 7
    assert await replica.metric("turned_away_total", reason="full") >= 33


@pytest.mark.parametrize("settings", [REQUIRED, {"connections_per_ip": 5}])
async def test_an_unavailable_redis_during_a_handshake_gives_overload(
    start_behind_proxy: StartReplica,
    proxy: TcpProxy,
    clients: list[SseClient],
    settings: dict[str, Any],
) -> None:
    replica = await start_behind_proxy(**settings, probe_seconds=0.2)
    header = bearer(token(BOB))
    first = await replica.subscribe(f"users={BOB}", headers=header)
    clients.append(first)
    proxy.refusing = True
    proxy.cut()
    client = await ask(replica, f"users={BOB}", headers=header)
    await until(client.closed.is_set)
    assert (client.status, [event.name for event in client.events]) == (200, ["overload"])
    assert await status(replica, f"users={BOB}&on_overload=status", headers=header) == 503
    assert not first.closed.is_set()
    assert replica.components.registry.count == 1
    proxy.refusing = False

    async def back() -> bool:
        return await status(replica, f"users={BOB}", headers=header) == 200

    await until(back)
