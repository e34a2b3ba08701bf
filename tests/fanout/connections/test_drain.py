"""SIGTERM: /readyz is 503 at once, each client gets goodbye in time, and the exit code is 0."""

from __future__ import annotations

import asyncio
import signal
import time

from tests.fanout.replicas import SUBSCRIBE, Chain, StartReplica
from tests.support.sse_client import SseClient
from tests.support.waiting import until


async def test_on_sigterm_each_client_gets_goodbye_and_the_process_exits_with_0(
    launch: StartReplica, clients: list[SseClient]
) -> None:
    """A drain is longer on a busy machine. test_registry.py compares its time with the setting."""
    replica = await launch(drain_seconds=5, retry_ms=3000)
    clients += [await replica.subscribe() for _ in range(100)]  # one for each step
    began = time.monotonic()
    replica.process.signal(signal.SIGTERM)
    await until(lambda: replica.process.log_lines("stopping"))
    status, text = await replica.get("/readyz")
    assert (status, "shutting down" in text) == (503, True), "at once"
    late = await SseClient.connect(replica.port, f"{SUBSCRIBE}?all=true")
    clients.append(late)
    await until(late.closed.is_set)
    assert [e.name for e in late.events] == ["overload"]
    assert (await replica.get("/livez"))[0] == 200
    assert await replica.process.ended() == 0
    assert time.monotonic() - began > 4.7
    goodbyes = []
    for client in clients[:100]:
        await until(client.closed.is_set)
        goodbye = client.events[-1]
        assert (goodbye.name, goodbye.own_id) == ("goodbye", None)
        assert goodbye.json == {"reason": "draining", "retry": goodbye.retry}
        assert 1500 <= (goodbye.retry or 0) <= 4500
        assert client.last_id == "0-0", "goodbye does not move the cursor"
        goodbyes.append(goodbye)
    at = sorted(event.at for event in goodbyes)
    assert at[-1] - at[0] > 0.8, "spread"
    assert len({event.retry for event in goodbyes}) > 30
    assert replica.process.noise == []


async def test_a_second_signal_ends_the_drain_at_once(
    launch: StartReplica, clients: list[SseClient]
) -> None:
    replica = await launch(drain_seconds=60)
    clients += [await replica.subscribe() for _ in range(10)]
    replica.process.signal(signal.SIGTERM)
    await until(lambda: replica.process.log_lines("stopping"))
    replica.process.signal(signal.SIGTERM)
    assert await replica.process.ended() == 0
    for client in clients:
        await until(client.closed.is_set)


async def test_a_replica_without_connections_stops_at_once(launch: StartReplica) -> None:
    replica = await launch(drain_seconds=60)
    replica.process.signal(signal.SIGINT)
    assert await replica.process.ended() == 0


async def test_a_client_that_resumes_at_another_replica_misses_no_event(
    launch: StartReplica, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    old, new = await launch(drain_seconds=1.0), await start()
    positions = await chain.commit_many(20)
    first = [await old.subscribe("all=true", since="0-0") for _ in range(20)]
    clients += first
    replaying = await SseClient.connect(
        old.port, f"{SUBSCRIBE}?all=true", headers={"Last-Event-ID": "0-0"}
    )
    clients.append(replaying)
    old.process.signal(signal.SIGTERM)

    async def move(client: SseClient) -> list[str]:
        await until(client.closed.is_set)
        resumed = await new.subscribe("all=true", since=client.last_id)
        clients.append(resumed)
        await over.wait()
        await resumed.wait_id(positions[-1])
        return client.positions + resumed.positions

    over = asyncio.Event()
    moves = [asyncio.create_task(move(client)) for client in first]
    while old.process.log_lines("stopping") == [] or any(not c.closed.is_set() for c in first):
        positions += await chain.commit()
    positions += await chain.commit()
    over.set()
    for got in await asyncio.gather(*moves):
        assert got == positions
    await replaying.wait(1)
    assert await old.process.ended() == 0
