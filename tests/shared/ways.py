"""All the ways that services have to Redis, by one URL: a pool, a lane, a subscription."""

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
from tests.fanout.rig import Chain
from tests.support.waiting import until

RECOVERY = 10.0
"""Seconds after the primary's death within which all is answered again (docs/reliability.md)."""


@dataclass
class Ways:
    """Open connections. `heard` is what the channel brought, over all subscriptions."""

    url: str
    keys: Keys
    pool: Redis
    lane: Redis
    chain: Chain
    reader: ChannelReader
    heard: list[bytes] = field(default_factory=list)

    async def subscribe(self) -> ChannelReader:
        """Listen to the channel; what was heard before stays."""
        self.reader = await subscribe(self.pool, CHANNEL, self.heard.append, seconds=3)
        return self.reader

    async def servers(self) -> set[int]:
        """The ports that the ways lead to: one, when all is well."""
        return {int((await way.info("server"))["tcp_port"]) for way in (self.pool, self.lane)}

    async def write(self) -> str:
        """The position of an event, once it is committed by the lane and read by the pool."""
        event = self.chain.event()
        await answered(lambda: self.chain.committer.record([event], progress={}))
        head = await answered(lambda: Journal(self.pool, self.keys).tip())
        assert head.top == event.position
        return str(event.position)

    async def all_answer(self) -> str:
        """The position of an event that was committed, read and heard of."""
        async with asyncio.timeout(RECOVERY):
            place = await self.write()
            while not await self._listens():
                pass
        await answered(lambda: self.lane.publish(CHANNEL, place))
        await until(lambda: place.encode() in self.heard, what="the channel's message")
        return place

    async def _listens(self) -> bool:
        """Whether the subscription is alive; one that has ended is made anew."""
        if not self.reader.closed.done():
            return True
        with suppress(*REDIS_UNAVAILABLE, OSError, TimeoutError):
            await self.subscribe()
        return False


async def answered(call: Callable[[], Awaitable[Any]], *, seconds: float = RECOVERY) -> Any:
    """The answer, in the end; what is no Unreachable passes through."""
    answers: list[Any] = []

    async def tried() -> bool:
        with suppress(*REDIS_UNAVAILABLE):
            answers.append(await call())
        return bool(answers)

    await until(tried, seconds=seconds, what="an answer")
    return answers[0]


@asynccontextmanager
async def ways(url: str, keys: Keys) -> AsyncIterator[Ways]:
    """All of them, open, until the end of the block."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(connect(url, slot_key=keys.journal))
        lane = await stack.enter_async_context(connect_multiplexed(url, slot_key=keys.journal))
        heard: list[bytes] = []
        reader = await subscribe(pool, CHANNEL, heard.append, seconds=3)
        chain = Chain(lane, keys)
        whole = Ways(url, keys, pool, lane, chain, reader, heard=heard)
        yield whole
        whole.reader.close()
