"""Peers that never finish their request, or leave at once: they cost little and hinder nobody."""

from __future__ import annotations

import asyncio
import resource
import time

import pytest

from tests.clients.conftest import Witness
from tests.clients.peers import ALL, TLS_HELLO, Peer, crowd_of, get, memory
from tests.fanout.rig import Chain, Replica
from tests.support.sse_client import SseClient
from tests.support.waiting import until


@pytest.mark.timeout(90)
async def test_half_open_connections_use_up_no_descriptors_and_are_hung_up_on(
    replica: Replica, witness: Witness, chain: Chain, clients: list[SseClient]
) -> None:
    """As many as there are descriptors, and more: others keep their events, and soon get in."""
    before = memory(replica.process.pid)
    began = time.monotonic()
    descriptors = replica.process.descriptors
    resource.prlimit(replica.process.pid, resource.RLIMIT_NOFILE, (descriptors + 400,) * 2)
    heads = [b"", b"G", b"GET ", get(ALL)[:-2], get(ALL)[:-1], TLS_HELLO[:5]]
    async with crowd_of(replica.port, 500, heads) as peers:
        await until(lambda: replica.process.descriptors >= descriptors + 390)
        for _ in range(5):
            await witness()
            for peer in peers:
                peer.trickle(b"x")
        late = await SseClient.connect(replica.port, ALL)
        clients.append(late)
        await late.wait(1, seconds=25)
        assert time.monotonic() - began < 20
        await until(lambda: all(peer.over for peer in peers), seconds=25, what="the end of all")
        assert memory(replica.process.pid) - before < 24 << 20
        await witness()
        (live,) = await chain.commit()
        await late.wait_id(live)
    await until(lambda: replica.process.descriptors <= descriptors + 2)


async def test_half_open_connections_below_the_limit_slow_nobody(
    replica: Replica, witness: Witness
) -> None:
    async with crowd_of(replica.port, 500, [b"GET / HTTP/1.1\r\nHost: x\r\nX: "]) as peers:
        for _ in range(10):
            for peer in peers:
                peer.trickle(b"y")
            await witness()
            began = time.monotonic()
            assert (await replica.get("/livez"))[0] == 200
            client = await replica.subscribe("streams=1")
            client.close()
            assert time.monotonic() - began < 1
        assert not any(peer.over for peer in peers)


async def test_connections_that_come_and_go_leave_nothing(
    replica: Replica, witness: Witness
) -> None:
    descriptors = replica.process.descriptors
    for sent in (b"", get(ALL)[:-2], get(ALL), get("/livez"), TLS_HELLO):
        peers = await asyncio.gather(*(Peer.say(replica.port, sent) for _ in range(100)))
        for peer in peers:
            peer.reset()
    await witness()
    await until(lambda: replica.process.descriptors <= descriptors)
    await until(lambda: _connections(replica, 1))
    assert replica.process.noise == []


async def _connections(replica: Replica, count: int) -> bool:
    return await replica.metric("connections") == count
