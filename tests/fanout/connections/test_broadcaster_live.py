"""A client that resumes while broadcasts run gets each event once."""

from __future__ import annotations

import asyncio
import random

import pytest

from services.fanout.connections import broadcaster as broadcaster_module
from shared.domain.position import parse_position
from tests.fanout.replicas import Chain, StartReplica
from tests.support.sse_client import SseClient


async def test_a_resume_during_a_broadcast_loses_no_event_and_repeats_none(
    start: StartReplica, chain: Chain, clients: list[SseClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcaster_module, "_PORTION", 1)
    random.seed(3)
    replica = await start(sync_seconds=0.3)
    clients += [await replica.subscribe() for _ in range(80)]
    since = dict.fromkeys(clients, "0-0")
    positions = ["0-0"]
    over = asyncio.Event()

    async def commit() -> None:
        for _ in range(60):
            positions.extend(await chain.commit(*(chain.event() for _ in range(3))))
        over.set()

    async def resume() -> None:
        while not over.is_set():
            position = random.choice(positions[-4:])
            client = await replica.subscribe(since=position)
            clients.append(client)
            since[client] = position

    await asyncio.gather(commit(), *(resume() for _ in range(4)))
    assert len(clients) > 100
    for client in clients:
        await client.wait_id(positions[-1])
        expected = positions[positions.index(since[client]) + 1 :]
        assert client.positions == expected
        got = 0
        for event in client.events:
            if event.name == "sync":
                sync_position = parse_position(event.own_id)
                assert got == sum(parse_position(p) <= sync_position for p in expected), (
                    "sync has a position above the sent events"
                )
            got += "." in event.name
    assert any(client.named("sync") for client in clients)
