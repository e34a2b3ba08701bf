"""The multiplexed client: each caller gets its own reply; a lost connection is replaced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Connection, Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.journal.keys import Keys
from shared.redis.client import connect_multiplexed
from tests.support.waiting import free_port, until


@pytest.fixture
async def multiplexed(redis_url: str) -> AsyncIterator[Redis]:
    client = connect_multiplexed(redis_url)
    yield client
    await client.aclose()


async def test_a_thousand_concurrent_callers_get_their_own_replies(
    multiplexed: Redis, keys: Keys
) -> None:
    async def one(n: int) -> None:
        key = keys.stream(str(n))
        assert await multiplexed.set(key, n)
        assert await multiplexed.get(key) == str(n).encode()
        assert await multiplexed.mget([key, "no"]) == [str(n).encode(), None]

    await asyncio.gather(*(one(n) for n in range(1000)))
    mine = await multiplexed.client_id()
    rows = await multiplexed.client_list(client_id=[mine])
    assert len(rows) == 1


async def test_replies_are_the_same_as_those_of_redis_py(
    multiplexed: Redis, redis: Redis, keys: Keys
) -> None:
    for client in (multiplexed, redis):
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
        assert await ask(multiplexed) == await ask(redis)


async def test_a_missing_script_is_loaded(multiplexed: Redis) -> None:
    script = multiplexed.register_script("return {KEYS[1], ARGV[1]}")
    await multiplexed.script_flush()
    assert await script(keys=["{a}k"], args=[1]) == [b"{a}k", b"1"]


async def test_pipelines_and_transactions(multiplexed: Redis, keys: Keys) -> None:
    key = keys.lease
    for transaction in (False, True):
        pipe = multiplexed.pipeline(transaction=transaction)
        pipe.set(key, 1)
        pipe.incr(key)
        pipe.hget(key, "x")
        with pytest.raises(ResponseError, match="wrong kind"):
            await pipe.execute()
        pipe = multiplexed.pipeline(transaction=transaction)
        pipe.get(key)
        pipe.hget(key, "x")
        number, error = await pipe.execute(raise_on_error=False)
        assert number == b"2"
        assert isinstance(error, ResponseError)
    assert await multiplexed.pipeline(transaction=False).execute() == []


async def test_an_error_reaches_only_its_caller(multiplexed: Redis, keys: Keys) -> None:
    await multiplexed.set(keys.lease, "x")
    results = await asyncio.gather(
        multiplexed.incr(keys.lease), multiplexed.get(keys.lease), return_exceptions=True
    )
    assert isinstance(results[0], ResponseError)
    assert results[1] == b"x"


async def test_a_cancelled_caller_does_not_shift_the_replies_of_others(
    multiplexed: Redis, keys: Keys
) -> None:
    await multiplexed.set(keys.lease, "x")
    leaving = [asyncio.ensure_future(multiplexed.ping()) for _ in range(5)]
    staying = [asyncio.ensure_future(multiplexed.get(keys.lease)) for _ in range(5)]
    await multiplexed.ping()
    for task in leaving:
        task.cancel()
    assert await asyncio.gather(*staying) == [b"x"] * 5


async def test_a_killed_connection_fails_waiting_calls_and_is_replaced(
    multiplexed: Redis, redis: Redis
) -> None:
    mine = await multiplexed.client_id()
    await redis.client_kill_filter(_id=str(mine))

    async def replaced() -> bool:
        try:
            return bool(await multiplexed.client_id() != mine)
        except RedisConnectionError:
            return False

    await until(replaced)


async def test_a_connection_that_is_lost_while_it_is_taken_fails_at_once(
    multiplexed: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only redis-py's protocol is told of the loss then. The next call opens a new connection."""
    connect = Connection.connect

    async def lose(connection: Connection) -> None:
        await connect(connection)
        assert connection._writer
        assert connection._reader
        connection._writer.transport.abort()
        await until(connection._reader.at_eof)

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "connect", lose)
        with pytest.raises(RedisConnectionError, match="lost"):
            await multiplexed.ping()
    assert await multiplexed.ping()


@pytest.mark.io
async def test_a_closed_port_is_a_connection_error(keys: Keys) -> None:
    client = connect_multiplexed(f"redis://127.0.0.1:{free_port()}/0", timeout=10)
    for _ in range(2):
        with pytest.raises(RedisConnectionError):
            await client.ping()
    await client.aclose()


async def test_a_server_that_does_not_answer_is_a_timeout_error(redis_url: str) -> None:
    async with deaf(redis_url) as port:
        client = connect_multiplexed(f"redis://127.0.0.1:{port}/0", timeout=0.4)

        async def connected() -> bool:
            with suppress(RedisTimeoutError):
                return bool(await client.ping())
            return False

        await until(connected, what="a connection")
        with pytest.raises(RedisTimeoutError):
            await client.get("deaf")
        await client.aclose()


@asynccontextmanager
async def deaf(redis_url: str) -> AsyncIterator[int]:
    """A proxy to Redis that discards everything after the word `deaf`."""
    address, serving = urlsplit(redis_url), set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(writer)
        up_reader, up_writer = await asyncio.open_connection(address.hostname, address.port)

        async def down() -> None:
            while data := await up_reader.read(65536):
                writer.write(data)

        task = asyncio.create_task(down())
        try:
            while data := await reader.read(65536):
                if b"deaf" not in data:
                    up_writer.write(data)
            up_writer.close()
            await task
            writer.close()
            await writer.wait_closed()
        finally:
            serving.discard(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await until(lambda: not serving, what="the last connection's end")
