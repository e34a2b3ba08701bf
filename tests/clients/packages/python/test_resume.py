"""The events of a client whose connections end in every way: each arrives once, in order."""

from __future__ import annotations

import signal

import pytest

from tests.clients.cutting_proxy import CUTS, CuttingProxy
from tests.clients.packages.python.conftest import Connect, StartServer
from tests.clients.packages.python.reader import Reader
from tests.fanout.replicas import Chain, StartReplica
from tests.support.tcp_proxy import TcpProxy
from tests.support.tier import at_length
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(120)


async def test_fanouts_are_killed_and_nothing_is_lost(
    start_server: StartServer, connect: Connect, chain: Chain
) -> None:
    server = await start_server()
    # The API notices that these streams have run out: those events are not in `sent`.
    async with Reader(connect(server.port), all=True, types=["stream.created"]) as reader:
        await reader.live()
        sent = await chain.commit_many(5)
        for number in (0, 1) * at_length(1, 5):
            await reader.has(sent[-1])
            await server.end(number)
            sent += await chain.commit_many(20)
            await server.start(number)
            sent += await chain.commit_many(5)
        await reader.has(sent[-1])
    assert reader.ids == sent
    assert reader.attempts > 1


async def test_a_fanout_that_stops_says_goodbye(
    start_server: StartServer, connect: Connect, chain: Chain
) -> None:
    server = await start_server()
    # The API notices that these streams have run out: those events are not in `sent`.
    async with Reader(connect(server.port), all=True, types=["stream.created"]) as reader:
        await reader.live()
        sent = await chain.commit_many(3)
        await server.end(0, signal.SIGTERM)
        await server.start(0)
        await server.end(1, signal.SIGTERM)
        sent += await chain.commit_many(3)
        await reader.has(sent[-1])
    assert reader.ids == sent
    assert "goodbye: draining" in reader.reasons


async def test_connections_that_end_inside_a_frame(
    start: StartReplica, connect: Connect, chain: Chain
) -> None:
    replica = await start(retry_ms=100)
    proxy = await CuttingProxy(replica.port).open()
    try:
        async with Reader(connect(proxy.port), all=True) as reader:
            await reader.live()
            sent = await chain.commit()
            for cut_point in CUTS.values():
                await reader.has(sent[-1])
                proxy.cut_inside_event(cut_point)
                sent += await chain.commit(chain.event(), chain.fee())
            await reader.has(sent[-1])
            proxy.refuse()
            sent += await chain.commit()
            await until(lambda: any("connect" in reason.lower() for reason in reader.reasons))
            await proxy.open()
            await reader.has(sent[-1])
    finally:
        proxy.close()
    assert reader.ids == sent
    assert reader.attempts >= len(CUTS) + 2


async def test_a_silent_connection_is_replaced(
    start: StartReplica, connect: Connect, chain: Chain
) -> None:
    replica = await start(sync_seconds=0.5, retry_ms=100)
    async with (
        TcpProxy(replica.port) as proxy,
        Reader(connect(proxy.port), all=True, silence_seconds=3) as reader,
    ):
        await reader.live()
        old = set(proxy.links)
        proxy.frozen = lambda link: link in old
        sent = await chain.commit_many(3)
        await reader.has(sent[-1])
        assert reader.ids == sent
        assert "no data for 3 seconds" in reader.reasons
        count = reader.attempts
        await until(lambda: reader.stream.state.lag_seconds is not None, what="a sync")
        assert reader.attempts == count


async def test_a_quiet_subscription_moves_forward_with_sync(
    start: StartReplica, connect: Connect, chain: Chain
) -> None:
    replica = await start(sync_seconds=0.5)
    async with Reader(connect(replica.port), streams=[8]) as reader:
        await reader.live()
        (position,) = await chain.commit(chain.event(stream=7))
        await reader.passed(position)
    assert reader.events == []


async def test_a_compressed_subscription(
    start: StartReplica, connect: Connect, chain: Chain
) -> None:
    replica = await start(gzip=True, retry_ms=100)
    proxy = await CuttingProxy(replica.port).open()
    try:
        async with Reader(connect(proxy.port), all=True, compact=True) as reader:
            await reader.live()
            sent = await chain.commit_many(3)
            await reader.has(sent[-1])
            proxy.cut()
            sent += await chain.commit_many(3)
            await reader.has(sent[-1])
    finally:
        proxy.close()
    assert reader.ids == sent
    assert proxy.compressed == [True] * len(proxy.compressed)
    assert (reader.events[0].stream_version, reader.events[0].stream) == (1, None)


async def test_a_full_fanout_is_asked_again(
    start: StartReplica, connect: Connect, chain: Chain
) -> None:
    replica = await start(max_connections=1, retry_ms=100)
    client = connect(replica.port)
    async with Reader(client, all=True) as first:
        await first.live()
        async with Reader(client, all=True, since=first.stream.position) as waiting:
            await until(lambda: waiting.reasons, what="a refusal")
            assert waiting.reasons[0].startswith("overload: this replica has reached its limit")
            assert waiting.stream.state.wait_seconds >= 2
            await first.stream.aclose()
            sent = await chain.commit_many(2)
            await waiting.has(sent[-1])
            assert waiting.ids == sent


async def test_since_a_position(start: StartReplica, connect: Connect, chain: Chain) -> None:
    sent = await chain.commit_many(300)
    replica = await start()
    async with Reader(connect(replica.port), all=True, since=sent[9]) as reader:
        await reader.has(sent[-1])
    assert reader.ids == sent[10:]
