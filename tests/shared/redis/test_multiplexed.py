"""The lane: every caller gets its own answer, errors are told, and a lost line heals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.journal.keys import Keys
from shared.redis.client import connect_multiplexed
from tests.support.waiting import free_port, until


@pytest.fixture
async def lane(redis_url: str) -> AsyncIterator[Redis]:
    client = connect_multiplexed(redis_url)
    yield client
    await client.aclose()


async def test_a_thousand_callers_at_once_get_their_own_answers(lane: Redis, keys: Keys) -> None:
    async def one(n: int) -> None:
        key = keys.stream(str(n))
        assert await lane.set(key, n)
        assert await lane.get(key) == str(n).encode()
        assert await lane.mget([key, "no"]) == [str(n).encode(), None]

    await asyncio.gather(*(one(n) for n in range(1000)))
    mine = await lane.client_id()
    rows = await lane.client_list(client_id=[mine])
    assert len(rows) == 1


async def test_answers_are_as_redis_py_gives_them(lane: Redis, redis: Redis, keys: Keys) -> None:
    for client in (lane, redis):
        await client.delete(keys.journal, keys.progress, keys.index("all"))
        await client.xadd(keys.journal, {"p": "x"}, id="5-1")
        await client.hset(keys.progress, "ledger", 7)
        await client.zadd(keys.index("all"), {"a": 1, "b": 2})
    for ask in (
        lambda c: c.xrevrange(keys.journal, count=1),
        lambda c: c.hmget(keys.progress, ["ledger", "closedAt"]),
        lambda c: c.hgetall(keys.progress),
        lambda c: c.zrange(keys.index("all"), 0, -1, withscores=True),
        lambda c: c.zmscore(keys.index("all"), ["a", "c"]),
        lambda c: c.exists(keys.journal, keys.lease),
        lambda c: c.script_exists("00"),
    ):
        assert await ask(lane) == await ask(redis)


async def test_scripts_are_loaded_when_they_are_not_there(lane: Redis) -> None:
    script = lane.register_script("return {KEYS[1], ARGV[1]}")
    await lane.script_flush()
    assert await script(keys=["{a}k"], args=[1]) == [b"{a}k", b"1"]


async def test_pipelines_and_transactions(lane: Redis, keys: Keys) -> None:
    key = keys.lease
    for transaction in (False, True):
        pipe = lane.pipeline(transaction=transaction)
        pipe.set(key, 1)
        pipe.incr(key)
        pipe.hget(key, "x")
        with pytest.raises(ResponseError, match="wrong kind"):
            await pipe.execute()
        pipe = lane.pipeline(transaction=transaction)
        pipe.get(key)
        pipe.hget(key, "x")
        number, error = await pipe.execute(raise_on_error=False)
        assert number == b"2"
        assert isinstance(error, ResponseError)
    assert await lane.pipeline(transaction=False).execute() == []


async def test_an_error_is_one_callers_alone(lane: Redis, keys: Keys) -> None:
    await lane.set(keys.lease, "x")
    results = await asyncio.gather(
        lane.incr(keys.lease), lane.get(keys.lease), return_exceptions=True
    )
    assert isinstance(results[0], ResponseError)
    assert results[1] == b"x"


async def test_who_goes_away_takes_nobodys_answer(lane: Redis, keys: Keys) -> None:
    await lane.set(keys.lease, "x")
    leaving = [asyncio.ensure_future(lane.ping()) for _ in range(5)]
    staying = [asyncio.ensure_future(lane.get(keys.lease)) for _ in range(5)]
    await lane.ping()
    for task in leaving:
        task.cancel()
    assert await asyncio.gather(*staying) == [b"x"] * 5


async def test_a_killed_connection_fails_who_waits_and_heals(lane: Redis, redis: Redis) -> None:
    mine = await lane.client_id()
    await redis.client_kill_filter(_id=str(mine))

    async def healed() -> bool:
        try:
            return bool(await lane.client_id() != mine)
        except RedisConnectionError:
            return False

    await until(healed)


@pytest.mark.io
async def test_nobody_there(keys: Keys) -> None:
    client = connect_multiplexed(f"redis://127.0.0.1:{free_port()}/0", timeout=1)
    for _ in range(2):
        with pytest.raises(RedisConnectionError):
            await client.ping()
    await client.aclose()


async def test_a_server_that_does_not_answer_is_given_up_within_the_time(redis_url: str) -> None:
    async with deaf(redis_url) as port:
        client = connect_multiplexed(f"redis://127.0.0.1:{port}/0", timeout=0.4)
        await client.ping()
        with pytest.raises(RedisTimeoutError):
            await client.get("deaf")
        await client.aclose()


@asynccontextmanager
async def deaf(redis_url: str) -> AsyncIterator[int]:
    """A way to Redis that swallows everything from the word `deaf` on."""
    address, serving = urlsplit(redis_url), set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(writer)
        up_reader, up_writer = await asyncio.open_connection(address.hostname, address.port)

        async def down() -> None:
            while data := await up_reader.read(65536):
                writer.write(data)

        task = asyncio.create_task(down())
        while data := await reader.read(65536):
            if b"deaf" not in data:
                up_writer.write(data)
        up_writer.close()
        await task
        writer.close()
        await writer.wait_closed()
        serving.discard(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await until(lambda: not serving, what="the last connection's end")
