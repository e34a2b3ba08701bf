"""After a restart or failover of Redis, the API waits until the chain has been read again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from shared.domain import commands
from shared.domain.events import Event
from shared.journal.commit import Committer
from shared.journal.commit_errors import CursorMovedError, JournalBehindError
from shared.journal.keys import Keys
from shared.journal.plan import StreamStates
from shared.redis.client import connect
from tests.shared.samples import TOKEN, R, S, at, created, stored
from tests.support.redis_node import Node
from tests.support.redis_server import PATIENT

pytestmark = pytest.mark.io

KEYS = Keys("caught_up")
ID = "api-1"


def create(streams: StreamStates) -> list[Event]:
    return commands.create(
        stream_id=ID, sender=S, recipient=R, token=TOKEN, rate=5, deposited=1000,
        start_time=100, now=100,
    )  # fmt: skip


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(tmp_path / "redis", {"appendonly": "yes", "appendfsync": "always"})
    await node.start()
    yield node
    await node.stop()


@pytest.fixture
async def redis(node: Node) -> AsyncIterator[Redis]:
    client = connect(f"redis://127.0.0.1:{node.port}/0", timeout=PATIENT)
    yield client
    await client.aclose()


async def started_again(node: Node, redis: Redis) -> None:
    await node.stop()
    await node.start()
    await redis.connection_pool.disconnect()


async def test_after_a_restart_of_redis_a_new_api_process_waits_for_the_indexer(
    node: Node, redis: Redis
) -> None:
    """A new process has no floor, so it cannot know which events others received."""
    indexer = Committer(redis, KEYS)
    first, second, third = (str(at(n).toid) for n in (5, 6, 7))
    await indexer.record([created("1", at(5))], progress={"cursor": first})
    await started_again(node, redis)
    with pytest.raises(JournalBehindError, match="the indexer has not caught up since then"):
        await Committer(redis, KEYS).change([ID], create)

    await indexer.record([created("2", at(6))], progress={"cursor": second}, after=int(first))
    with pytest.raises(JournalBehindError):
        await Committer(redis, KEYS).change([ID], create)
    await indexer.record([], progress={"cursor": third}, after=int(second), caught_up=True)
    (given,) = (await Committer(redis, KEYS).change([ID], create)).positions
    assert given > at(6)


async def test_without_any_indexer_the_api_does_not_wait(node: Node, redis: Redis) -> None:
    await Committer(redis, KEYS).change([ID], create)
    await started_again(node, redis)
    await Committer(redis, KEYS).change(
        [ID], lambda s: commands.update(stored(s[ID]), {"label": "x"}, 9)
    )


async def test_a_user_without_the_right_to_info_is_checked_by_the_floor_alone(
    node: Node, redis: Redis
) -> None:
    await Committer(redis, KEYS).record([created("1", at(5))], progress={"cursor": "5"})
    await started_again(node, redis)
    await node.ask("ACL", "SETUSER", "timid", "on", ">x", "~*", "&*", "+@all", "-info")
    timid = connect(f"redis://timid:x@127.0.0.1:{node.port}/0", timeout=PATIENT)
    await Committer(timid, KEYS).change([ID], create)
    await timid.aclose()


@pytest.mark.parametrize("stored", ["7", "0000000007"], ids=["horizon", "rpc"])
async def test_a_commit_from_another_cursor_than_the_stored_one_is_refused(
    redis: Redis, stored: str
) -> None:
    indexer = Committer(redis, KEYS)
    await indexer.record([], progress={"cursor": stored})
    await indexer.record([created("1", at(5))], progress={"cursor": "8"}, after=7)
    for wrong in (7, 9):
        with pytest.raises(CursorMovedError, match=f"the stored cursor is 8, not {wrong}"):
            await indexer.record([created("2", at(6))], progress={"cursor": "10"}, after=wrong)
    assert await redis.xlen(KEYS.journal) == 1
    await redis.delete(KEYS.progress)
    with pytest.raises(CursorMovedError, match="cursor is missing"):
        await indexer.record([created("2", at(6))], progress={"cursor": "10"}, after=8)
