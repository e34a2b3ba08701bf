"""All kinds of Redis clients that services use: pooled, multiplexed, and a subscription."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from services.fanout.feed.pubsub import ChannelReader, subscribe
from shared.journal.keys import CHANNEL, Keys
from shared.journal.reader import Journal
from shared.redis.client import REDIS_UNAVAILABLE, connect, connect_multiplexed
from tests.fanout.replicas import Chain
from tests.support.waiting import until

RECOVERY = 10.0
"""Seconds until all calls must work again, after another server has become the primary."""


@dataclass
class RedisClients:
    """Open clients of one URL. `messages` are the messages of the channel, of all subscriptions."""

    url: str
    keys: Keys
    pool: Redis
    multiplexed: Redis
    chain: Chain
    reader: ChannelReader
    messages: list[bytes] = field(default_factory=list)

    async def subscribe(self) -> ChannelReader:
        """Subscribe to the channel again. Earlier messages stay in the list."""
        self.reader = await subscribe(self.pool, CHANNEL, self.messages.append, seconds=3)
        return self.reader

    async def servers(self) -> set[int]:
        """The ports of the servers that the clients are connected to. One port, if all is well."""
        return {
            int((await client.info("server"))["tcp_port"])
            for client in (self.pool, self.multiplexed)
        }

    async def write(self) -> str:
        """Commit an event with one client, read it with the other, and return its position."""
        event = self.chain.event()
        await retry_until_answered(lambda: self.chain.committer.record([event], progress={}))
        head = await retry_until_answered(lambda: Journal(self.pool, self.keys).tip())
        assert head.top == event.position
        return str(event.position)

    async def check_all(self) -> str:
        """Commit, read and publish an event with all clients. Returns its position."""
        async with asyncio.timeout(RECOVERY):
            position = await self.write()
            while not await self._listens():
                pass
        await retry_until_answered(lambda: self.multiplexed.publish(CHANNEL, position))
        await until(lambda: position.encode() in self.messages, what="the channel's message")
        return position

    async def _listens(self) -> bool:
        """Whether the subscription is alive. Renews it if it has ended."""
        if not self.reader.closed.done():
            return True
        with suppress(*REDIS_UNAVAILABLE, OSError, TimeoutError):
            await self.subscribe()
        return False


async def retry_until_answered(
    call: Callable[[], Awaitable[Any]], *, seconds: float = RECOVERY
) -> Any:
    """Repeat a call while Redis is unavailable, and return its result. Raises other errors."""
    answers: list[Any] = []

    async def tried() -> bool:
        with suppress(*REDIS_UNAVAILABLE, TimeoutError):
            answers.append(await call())
        return bool(answers)

    await until(tried, seconds=seconds, what="an answer")
    return answers[0]


@asynccontextmanager
async def open_clients(url: str, keys: Keys) -> AsyncIterator[RedisClients]:
    """All clients, open until the end of the block."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(connect(url, slot_key=keys.journal))
        multiplexed = await stack.enter_async_context(
            connect_multiplexed(url, slot_key=keys.journal)
        )
        messages: list[bytes] = []
        reader = await retry_until_answered(
            lambda: subscribe(pool, CHANNEL, messages.append, seconds=3)
        )
        chain = Chain(multiplexed, keys)
        clients = RedisClients(url, keys, pool, multiplexed, chain, reader, messages=messages)
        yield clients
        clients.reader.close()
