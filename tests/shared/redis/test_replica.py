"""FEED_REDIS_URL: which server is chosen among several, and when it is left."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.redis.client import REDIS_UNAVAILABLE
from shared.redis.replica import (
    CUT_OFF,
    FOLLOWS,
    PRIMARY,
    ServerChoice,
    check_feed_url,
    connect_to_replica,
)
from shared.redis.url import Address, parse_feed_url
from tests.support.redis_links import LinkedRedis, linked_redis
from tests.support.redis_server import PATIENT
from tests.support.waiting import until

A, B, C = ("a", 1), ("b", 1), ("c", 1)


def choice(**kinds: int | None) -> ServerChoice:
    """A choice among servers of these kinds."""

    async def look_up() -> list[Address]:
        return [(name, 1) for name in kinds]

    async def rate(address: Address) -> int | None:
        return kinds[address[0]]

    return ServerChoice(look_up, rate)


async def test_fanouts_spread_over_the_replicas() -> None:
    chosen = Counter([await choice(a=FOLLOWS, b=FOLLOWS, c=PRIMARY).find() for _ in range(200)])
    assert set(chosen) == {A, B}
    assert min(chosen.values()) > 50


async def test_without_a_replica_that_follows_the_best_server_is_used() -> None:
    assert await choice(a=CUT_OFF, b=PRIMARY, c=None).find() == B
    assert await choice(a=CUT_OFF, b=None).find() == A
    with pytest.raises(REDIS_UNAVAILABLE, match="none of 2 servers of FEED_REDIS_URL answers"):
        await choice(a=None, b=None).find()


async def test_a_server_that_was_left_is_tried_after_the_others() -> None:
    servers = choice(a=FOLLOWS, b=FOLLOWS, c=FOLLOWS)
    first = await servers.find()
    assert await servers.find() == first
    servers.leave(first)
    second = await servers.find()
    servers.leave(first)
    assert await servers.find() == second, "it is left only once"
    servers.leave(second)
    assert {first, second, await servers.find()} == {A, B, C}
    assert servers.generation.number == 2


@pytest.mark.parametrize(
    ("url", "seeds"),
    [
        ("redis://a,b:6380,[::1]:6381/2", (("a", 6379), ("b", 6380), ("::1", 6381))),
        ("rediss://me:word@a", (("a", 6379),)),
        ("redis+sentinel://a,b/payments/2", (("a", 26379), ("b", 26379))),
    ],
)
def test_an_url_names_several_servers(url: str, seeds: tuple[Address, ...]) -> None:
    assert parse_feed_url(url).seeds == seeds
    check_feed_url(url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis+cluster://:secret@a", "cannot lead to a replica"),
        ("unix:///secret", "cannot lead to a replica"),
        ("redis://:secret@a,/0", "is not an address"),
        ("redis://:secret@a/x", "the database must be a number"),
        ("redis+sentinel://:secret@a", "the name of the primary is missing"),
        ("redis://:secret@a?retires=3", "does not know an option"),
    ],
)
def test_an_invalid_url_is_reported_without_its_password(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        check_feed_url(url)
    assert "secret" not in str(raised.value)


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[LinkedRedis]:
    async with linked_redis(tmp_path) as servers:
        yield servers


async def port_of(client: Redis) -> int:
    """The server that answers now."""
    return int((await client.info("server"))["tcp_port"])


async def port_of_next(client: Redis) -> int:
    """The server that answers after the current one has failed. Calls fail once, not for ever."""

    async def answered() -> int:
        try:
            return await port_of(client)
        except REDIS_UNAVAILABLE:
            return 0

    return await until(answered)


@pytest.mark.io
async def test_a_replica_is_preferred_to_the_primary_and_left_when_it_dies(
    servers: LinkedRedis,
) -> None:
    client, current = connect_to_replica(servers.url_of(), timeout=PATIENT)
    first = await port_of(client)
    await servers.servers[first].stop()
    second = await port_of_next(client)
    assert servers.primary.port not in (first, second)
    await servers.servers[second].stop()
    assert await port_of_next(client) == servers.primary.port
    assert current.name == f"127.0.0.1:{servers.primary.port}"
    await client.aclose()


@pytest.mark.io
async def test_each_address_of_a_name_is_a_server(
    servers: LinkedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a headless service. Here one of the two addresses leads nowhere."""
    real: Callable[..., Any] = socket.getaddrinfo

    def two(host: str, port: int, *more: Any, **options: Any) -> Any:
        if host != "replicas.example":
            return real(host, port, *more, **options)
        rows = [real(ip, port, type=socket.SOCK_STREAM) for ip in ("127.0.0.1", "127.0.0.9")]
        return [*rows[0], *rows[1]]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    port = servers.replicas[0].port
    for _ in range(4):
        client, current = connect_to_replica(f"redis://replicas.example:{port}/0")
        assert await port_of(client) == port
        assert current.name == f"127.0.0.1:{port}"
        await client.aclose()
    client, _ = connect_to_replica("redis://nowhere.invalid/0")
    with pytest.raises(REDIS_UNAVAILABLE, match="none of 0 servers"):
        await client.ping()
    await client.aclose()
