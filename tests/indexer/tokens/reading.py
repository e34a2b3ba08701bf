"""An ingest and a reader of tokens against a simulated network, with a clock of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from deploy.simulator.chain import accounts
from deploy.simulator.chain.operations import Operation, Proposal
from services.indexer.tokens.reader import TokenReader
from shared.chain.rpc import RpcClient
from shared.domain.tokens import UNKNOWN_TOKEN, TokenInfo
from shared.journal.keys import Keys
from shared.journal.tokens import StoredTokens, TokenSchedule
from shared.runtime.tasks import cancel
from tests.api.samples import Clock
from tests.indexer.ingest.test_ingest import Bench
from tests.indexer.simulated import PASSPHRASE, Sim
from tests.support.waiting import until


class Tokens(Bench):
    """An ingest and a reader of tokens, with a clock that the test sets."""

    def __init__(self, sim: Sim, redis: Redis, keys: Keys) -> None:
        super().__init__(sim, redis, keys)
        self.clock = Clock()
        self.reader = self.made()
        self.schedule = TokenSchedule(redis, keys)

    def made(self, path: str = "rpc", seconds: float = 10.0) -> TokenReader:
        rpc = RpcClient(self.sim.session, f"{self.sim.url}/{path}", seconds=seconds)
        return TokenReader(
            rpc, self.redis, self.keys, passphrase=PASSPHRASE, clock=self.clock, pause=0.02
        )

    async def create(self, *tokens: str) -> None:
        """Make a stream with each token, and wait until the ingest has committed it."""
        for token in tokens:
            call = Operation(op="create", amount=10**6, duration=5000, token=token)
            self.sim.network.submit(Proposal(operations=(call,)))
        self.sim.close()
        await self.caught_up()

    async def told(self, token: str) -> TokenInfo:
        return (await StoredTokens(self.redis, self.keys).find([token]))[token]

    async def all_told(self, *tokens: str) -> dict[str, TokenInfo]:
        return {token: await self.told(accounts.TOKENS[token]) for token in tokens}

    @asynccontextmanager
    async def reading(self, reader: TokenReader | None = None) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task((reader or self.reader).run())
        try:
            yield task
        finally:
            await cancel(task)

    async def read(self) -> list[int]:
        """Read until nothing is due. Returns how many tokens each call read."""
        sizes = []
        while found := await self.reader.read_due():
            sizes.append(found)
        return sizes


async def until_told(bench: Tokens, token: str) -> TokenInfo:
    async def told() -> TokenInfo | None:
        info = await bench.told(token)
        return info if info != UNKNOWN_TOKEN else None

    return await until(told, what="what the token tells")
