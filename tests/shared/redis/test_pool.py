"""A connection that died while idle fails no call; a write is never repeated."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.redis import pool
from shared.redis.client import connect
from tests.support.tcp_proxy import Link, TcpProxy, every_link, no_link
from tests.support.waiting import until

MANY = 12


@pytest.fixture
async def proxy(redis_url: str) -> AsyncIterator[TcpProxy]:
    port = int(redis_url.rpartition(":")[2].partition("/")[0])
    async with TcpProxy(port) as proxy:
        yield proxy


@pytest.fixture
async def client(proxy: TcpProxy) -> AsyncIterator[Redis]:
    redis = connect(f"redis://127.0.0.1:{proxy.port}/0", timeout=5)
    yield redis
    await redis.aclose()


async def busy(client: Redis) -> list[Any]:
    """Concurrent calls, so that each one needs its own connection."""
    return await asyncio.gather(*(client.echo("x") for _ in range(MANY)))


def reset(link: Link) -> None:
    sock = link._writers[0].get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.cut()


@pytest.mark.parametrize("how", ["closed", "reset", "killed"])
async def test_closed_idle_connections_are_reopened(
    proxy: TcpProxy, client: Redis, redis: Redis, how: str
) -> None:
    await busy(client)
    assert len(proxy.links) == MANY
    for link in list(proxy.links):
        if how == "killed":
            address = "{}:{}".format(*link._writers[1].get_extra_info("sockname"))
            await redis.client_kill(address)
        else:
            reset(link) if how == "reset" else link.cut()
    await until(lambda: not proxy.links)
    for _ in range(MANY):
        assert await client.echo("x") == b"x"
    assert await busy(client) == [b"x"] * MANY


async def test_silently_dropped_connections_are_reopened(
    proxy: TcpProxy, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "IDLE_SECONDS", 0.0)
    await busy(client)
    forgotten = set(proxy.links)
    proxy.frozen = forgotten.__contains__
    assert await busy(client) == [b"x"] * MANY
    assert not forgotten & {link for link in proxy.links if not proxy.frozen(link)}
    proxy.frozen = no_link


async def test_a_write_with_a_lost_reply_is_not_repeated(
    proxy: TcpProxy, client: Redis, redis: Redis
) -> None:
    await client.delete("pool:count")
    proxy.swallow = every_link
    with pytest.raises((RedisConnectionError, RedisTimeoutError)):
        await client.incr("pool:count")
    proxy.swallow = no_link
    assert await client.get("pool:count") == b"1"


async def test_a_busy_connection_is_not_tested_before_each_call(
    client: Redis, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "IDLE_SECONDS", 60.0)  # on a busy machine a call can take a second
    await client.echo("x")
    before = (await redis.info("commandstats")).get("cmdstat_ping", {}).get("calls", 0)
    for _ in range(20):
        await client.echo("x")
    after = (await redis.info("commandstats")).get("cmdstat_ping", {}).get("calls", 0)
    assert after == before
