"""Clients that never complete a request, or disconnect at once, do not affect other clients."""

from __future__ import annotations

import asyncio
import resource
import time

import pytest

from shared.web.connection import Deadlines
from tests.clients.conftest import CheckSubscriber
from tests.clients.raw_client import ALL, TLS_HELLO, RawClient, get, memory, open_many
from tests.fanout.replicas import Chain, Replica
from tests.fanout.stopwatch import Stopwatch
from tests.support.sse_client import SseClient
from tests.support.waiting import until


@pytest.mark.timeout(90)
async def test_half_open_connections_are_closed_and_other_clients_continue(
    replica: Replica, check_subscriber: CheckSubscriber, chain: Chain, clients: list[SseClient]
) -> None:
    """More half-open connections than descriptors. A new client still connects in 20 s."""
    before = memory(replica.process.pid)
    stopwatch = Stopwatch(replica.process.pid)
    descriptors = replica.process.descriptors
    resource.prlimit(replica.process.pid, resource.RLIMIT_NOFILE, (descriptors + 400,) * 2)
    heads = [b"", b"G", b"GET ", get(ALL)[:-2], get(ALL)[:-1], TLS_HELLO[:5]]
    async with open_many(replica.port, 500, heads) as raw_clients:
        await until(lambda: replica.process.descriptors >= descriptors + 390)
        for _ in range(5):
            await check_subscriber()
            for raw_client in raw_clients:
                raw_client.send(b"x")
        late = await SseClient.connect(replica.port, ALL)
        clients.append(late)
        await late.wait(1)
        assert stopwatch.seconds < 20
        await until(
            lambda: all(raw_client.closed for raw_client in raw_clients),
            what="the end of all connections",
        )
        assert memory(replica.process.pid) - before < 24 << 20
        await check_subscriber()
        (live,) = await chain.commit()
        await late.wait_id(live)
    await until(lambda: replica.process.descriptors <= descriptors + 2)


async def test_half_open_connections_below_the_limit_delay_no_client(
    replica: Replica, check_subscriber: CheckSubscriber
) -> None:
    began = time.monotonic()
    async with open_many(replica.port, 500, [b"GET / HTTP/1.1\r\nHost: x\r\nX: "]) as raw_clients:
        for _ in range(10):
            for raw_client in raw_clients:
                raw_client.send(b"y")
            await check_subscriber()
            stopwatch = Stopwatch(replica.process.pid)
            assert (await replica.get("/livez"))[0] == 200
            client = await replica.subscribe("streams=1")
            client.close()
            assert stopwatch.seconds < 1
        is_late = time.monotonic() - began > Deadlines().head  # on a busy machine
        assert is_late or not any(raw_client.closed for raw_client in raw_clients)


async def test_closed_connections_leave_no_descriptor_and_no_entry(
    replica: Replica, check_subscriber: CheckSubscriber
) -> None:
    descriptors = replica.process.descriptors
    for sent in (b"", get(ALL)[:-2], get(ALL), get("/livez"), TLS_HELLO):
        raw_clients = await asyncio.gather(
            *(RawClient.connect(replica.port, sent) for _ in range(100))
        )
        for raw_client in raw_clients:
            raw_client.reset()
    await check_subscriber()
    await until(lambda: replica.process.descriptors <= descriptors)
    await until(lambda: _connections(replica, 1))
    assert replica.process.noise == []


async def _connections(replica: Replica, count: int) -> bool:
    return await replica.metric("connections") == count
