"""Streams that follow their events: right at each moment, also while they are loaded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from headrace_client import Changed, Client, FollowedStreams, Loaded, NotFoundError
from redis.asyncio import Redis

from shared.journal.keys import Keys
from shared.journal.plan import Retention
from tests.clients.packages.python.conftest import Connect, StartServer
from tests.clients.packages.python.server import make_stream
from tests.fanout.replicas import ALICE, BOB, CAROL, Chain
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(120)


class Follower:
    """Reads the steps in a task."""

    def __init__(self, client: Client, **wanted: Any) -> None:
        self.steps: list[Loaded | Changed] = []
        self.pictures: list[dict[str, int]] = []  # the versions after each step
        self.followed: FollowedStreams = client.follow(**wanted)
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for step in self.followed:
            self.steps.append(step)
            self.pictures.append(self.versions())

    async def until(self, condition: Any, what: str) -> None:
        def done() -> bool:
            if self._task.done():
                self._task.result()
            return bool(condition())

        # The API redirects to a dead fanout too, and then the client waits longer each time.
        await until(done, seconds=90, what=what)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.followed.aclose()

    def versions(self) -> dict[str, int]:
        return {stream.id: stream.version for stream in self.followed.streams.values()}


async def test_the_state_is_right_after_each_change(
    start_server: StartServer, connect: Connect
) -> None:
    server = await start_server()
    client = connect(server.port)
    old, other = await make_stream(client), await make_stream(client, CAROL, CAROL)
    follower = Follower(client, users=[ALICE, BOB])
    await follower.until(lambda: follower.steps, "the snapshot")
    assert follower.versions() == {old: 1}
    new = await make_stream(client, BOB, CAROL)
    await client.top_up(old, 5)
    await client.top_up(other, 5)
    await server.end(0)
    await client.pause(old)
    await server.start(0)
    await server.end(1)
    await client.resume(old)
    await follower.until(lambda: follower.versions() == {old: 4, new: 1}, "all changes")
    assert dict(follower.followed.streams) == {
        old: follower.steps[-1].stream if isinstance(follower.steps[-1], Changed) else None,
        new: follower.followed.streams[new],
    }
    changes = [step for step in follower.steps if isinstance(step, Changed)]
    assert [(step.event.stream_id, step.event.stream_version) for step in changes] == [
        (new, 1),
        (old, 2),
        (old, 3),
        (old, 4),
    ]
    assert follower.followed.streams[old].deposited_amount == 995_005
    await follower.close()


async def test_a_snapshot_that_is_newer_than_the_events_after_it(
    start_server: StartServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streams change between the pages of the snapshot: no state goes back, no event is missed."""
    server = await start_server()
    client = connect(server.port)
    stream = await make_stream(client)
    page = Client.stream_page

    async def slow_page(self: Client, **options: Any) -> Any:
        first = await page(self, **options)
        if options.get("recipient"):  # after the first page was read
            await client.top_up(stream, 1)
            await client.top_up(stream, 1)
            return await page(self, **options)
        return first

    monkeypatch.setattr(Client, "stream_page", slow_page)
    follower = Follower(client, users=[ALICE, BOB])
    await follower.until(lambda: len(follower.steps) == 1 + 4, "the events after the first page")
    assert follower.pictures == [{stream: 5}] * 5
    events = [step.event.stream_version for step in follower.steps if isinstance(step, Changed)]
    assert events == [2, 3, 4, 5]
    await follower.close()


async def test_a_hidden_stream_leaves_its_recipient(
    start_server: StartServer, connect: Connect
) -> None:
    server = await start_server()
    client = connect(server.port)
    stream = await make_stream(client)
    bob, alice = Follower(client, users=[BOB]), Follower(client, users=[ALICE])
    both = Follower(client, streams=[stream])
    for each in (bob, alice, both):
        await each.until(lambda each=each: each.versions() == {stream: 1}, "the snapshot")
    await client.hide(stream)
    await bob.until(lambda: bob.versions() == {}, "the end of the stream")
    await client.top_up(stream, 1)
    await client.accept(stream)
    for each in (bob, alice, both):
        await each.until(lambda each=each: each.versions() == {stream: 4}, "the stream again")
        await each.close()


async def test_after_a_gap_the_state_is_loaded_again(
    start_server: StartServer, connect: Connect, redis: Redis, keys: Keys
) -> None:
    chain = Chain(redis, keys, retention=Retention(max_length=10))
    server = await start_server(ring_events=1)
    client = connect(server.port)
    first = await make_stream(client)
    follower = Follower(client, streams=[first])
    await follower.until(lambda: follower.steps, "the snapshot")
    await client.top_up(first, 5)
    await follower.until(lambda: follower.versions() == {first: 2}, "the change")
    # The connection ends. Meanwhile the journal loses the next event of the stream.
    await server.end(0)
    await server.end(1)
    await client.top_up(first, 5)
    await chain.commit_many(500)
    await server.start(0)
    await server.start(1)
    await follower.until(lambda: follower.versions() == {first: 3}, "the state after the gap")
    assert [step.reason for step in follower.steps if isinstance(step, Loaded)] == ["start", "gap"]
    await follower.close()


async def test_an_unknown_stream_is_an_error(start_server: StartServer, connect: Connect) -> None:
    server = await start_server()
    with pytest.raises(NotFoundError):
        await anext(connect(server.port).follow(streams=[999]))
