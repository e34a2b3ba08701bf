"""Subscribers with other encodings: the same events as all others, in fewer bytes."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from tests.fanout.replicas import SUBSCRIBE, Chain, Replica, StartReplica
from tests.support.sse_client import SseClient

pytestmark = pytest.mark.io

GZIP = {"Accept-Encoding": "gzip, deflate, br"}
VIEWS = ("", "&view=compact")


def without_state(data: str) -> dict[str, object]:
    event = orjson.loads(data)
    if "stream" in event:
        event["stream"] = {"version": event["stream"]["version"]}
    return dict(event)


async def subscribe_in_each_encoding(replica: Replica, since: str = "") -> tuple[SseClient, ...]:
    return tuple(
        await asyncio.gather(
            *(
                replica.subscribe(f"all=true{view}", since=since, headers=headers)
                for headers in ({}, GZIP)
                for view in VIEWS
            )
        )
    )


def journal(client: SseClient) -> list[str]:
    """The data of the received journal events."""
    return [event.data for event in client.events if "." in event.name]


def check_same(full: SseClient, compact: SseClient, zipped: SseClient, both: SseClient) -> None:
    assert journal(zipped) == journal(full)
    assert journal(both) == journal(compact)
    assert [*map(orjson.loads, journal(compact))] == [*map(without_state, journal(full))]
    for client in (full, compact, zipped, both):
        assert client.parser.faults == []
        assert client.positions == full.positions


async def test_live_events_are_the_same_in_each_encoding(
    start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    replica = await start(gzip=True)
    each = await subscribe_in_each_encoding(replica)
    clients += each
    for _ in range(3):  # one event for all, then several in one batch
        for events in ([chain.event(1)], [chain.event(n) for n in range(1, 9)]):
            *_, last = await chain.commit(*events)
            await asyncio.gather(*(client.wait_id(last) for client in each))
    check_same(*each)
    assert [c.headers.get("content-encoding") for c in each] == [None, None, "gzip", "gzip"]


async def test_missed_events_are_the_same_from_memory_and_from_the_journal(
    start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    first, *_, last = await chain.commit_many(60)
    for events_in_memory in (1000, 5):
        replica = await start(gzip=True, ring_events=events_in_memory)
        await replica.at(last)
        *_, last = await chain.commit_many(20)
        await replica.at(last)
        each = await subscribe_in_each_encoding(replica, since=first)
        clients += each
        await asyncio.gather(*(client.wait_id(last) for client in each))
        check_same(*each)
        assert each[0].positions[-1] == last


async def test_notices_are_compressed_too(
    start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    replica = await start(gzip=True, sync_seconds=0.2)
    (top,) = await chain.commit()
    await replica.at(top)
    client = await replica.subscribe("all=true", headers=GZIP | {"Last-Event-ID": "x"})
    clients.append(client)
    await client.wait(1, "reset")
    await client.wait(2, "sync")
    assert client.parser.faults == []


async def test_without_the_setting_nothing_is_compressed(
    replica: Replica, chain: Chain, clients: list[SseClient]
) -> None:
    client = await replica.subscribe("all=true", headers=GZIP)
    clients.append(client)
    (position,) = await chain.commit()
    await client.wait_id(position)
    assert "content-encoding" not in client.headers


async def test_an_unknown_view_is_refused(replica: Replica) -> None:
    status, text = await replica.get(f"{SUBSCRIBE}?all=true&view=short")
    assert status == 400
    (error,) = orjson.loads(text)["errors"]
    assert error == {"parameter": "view", "detail": "'short' is neither 'full' nor 'compact'"}
