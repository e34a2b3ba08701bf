"""Reads what the tokens of all streams tell: new ones within a second or two, all others daily.

Strangers can make streams with any number of tokens. So the work is bounded: one call of RPC in a
second, with a few tokens each, and nothing is kept of tokens that do not exist. A failure only
delays the reading; the ingest goes on.

See docs/decisions/0084-tokens-name-themselves.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import aiohttp
import structlog
from redis.asyncio import Redis

from services.indexer import metrics
from services.indexer.settings import IndexerSettings
from services.indexer.sources.base import SourceError
from services.indexer.sources.rpc.client import LedgerEntry, RpcClient
from services.indexer.tokens.metadata import token_info
from services.indexer.tokens.old_streams import schedule_tokens_of_old_streams
from services.indexer.xdr.ledger_keys import instance_key
from shared.domain.strkeys import CONTRACT, payload_of
from shared.domain.tokens import TokenInfo
from shared.journal.keys import Keys
from shared.journal.tokens import DueToken, StoredTokens, TokenSchedule
from shared.redis.clock import Clock

log = structlog.get_logger()

DAY = 86_400
MISSING_SECONDS = 60
"""A new token that RPC lacks is read again after this time: RPC may be a few ledgers behind."""
MOST_TOKENS = 50
"""Tokens in a call. An instance has at most 64 KB, so an answer has at most about 4 MB."""
_POLL_SECONDS = 1.0
_LONGEST_WAIT = 60.0


class TokenReader:
    """Reads the tokens of one namespace."""

    def __init__(
        self,
        rpc: RpcClient,
        redis: Redis,
        keys: Keys,
        *,
        passphrase: str,
        clock: Clock,
        pause: float = _POLL_SECONDS,
    ) -> None:
        """`passphrase`: of the network. `pause`: seconds between two looks at the schedule."""
        self._rpc = rpc
        self._redis = redis
        self._keys = keys
        self._stored = StoredTokens(redis, keys)
        self._schedule = TokenSchedule(redis, keys)
        self._passphrase = passphrase
        self._clock = clock
        self._pause = pause
        self._most = MOST_TOKENS

    async def run(self) -> None:
        """Read until cancelled. After a failure of RPC, wait longer each time."""
        wait = self._pause
        while True:
            await schedule_tokens_of_old_streams(self._redis, self._keys)
            try:
                await self.read_due()
                wait = self._pause
            except SourceError as error:
                metrics.TOKEN_READS.labels("failed").inc()
                log.warning("tokens_not_read", error=str(error))
                wait = min(2 * wait, _LONGEST_WAIT)
            await asyncio.sleep(wait)

    async def read_due(self) -> int:
        """Read some of the tokens that are due; returns how many. Raises SourceError."""
        now = int(self._clock())
        due = await self._schedule.due(now, self._most)
        if not due:
            return 0
        try:
            found = await self._entries(due)
        except SourceError as error:
            if error.is_too_large:
                await self._ask_for_less(due, now)
            raise
        self._most = MOST_TOKENS
        await self._stored.put(await self._decoded(found, now))
        await self._schedule.postpone({each.address: _next(each, found, now) for each in due})
        metrics.TOKEN_READS.labels("read").inc(len(due))
        return len(due)

    async def _entries(self, due: Sequence[DueToken]) -> dict[str, LedgerEntry]:
        """The instances of these tokens, without those that do not exist. Raises SourceError."""
        keys = {instance_key(payload_of(CONTRACT, each.address)): each.address for each in due}
        answer = await self._rpc.entries(list(keys))
        return {keys[key]: entry for key, entry in answer.found.items() if key in keys}

    async def _decoded(self, found: Mapping[str, LedgerEntry], now: int) -> dict[str, TokenInfo]:
        told = {}
        for address, entry in found.items():
            told[address] = token_info(entry.data, address, self._passphrase, now)
            await asyncio.sleep(0)  # an instance can be large, and the ingest has its turn
        return told

    async def _ask_for_less(self, due: Sequence[DueToken], now: int) -> None:
        """After an answer that was too large or took too long: one token may be the reason."""
        if self._most == 1:
            await self._schedule.postpone({each.address: now + MISSING_SECONDS for each in due})
        self._most = max(1, self._most // 2)


def _next(token: DueToken, found: Mapping[str, LedgerEntry], now: int) -> int:
    """When a token is read next, in Unix seconds. `found`: the tokens that RPC has."""
    return now + (MISSING_SECONDS if token.is_new and token.address not in found else DAY)


def create_token_reader(
    settings: IndexerSettings, session: aiohttp.ClientSession, redis: Redis, clock: Clock
) -> TokenReader | None:
    """None without RPC_URL: Horizon cannot be asked for the storage of a contract."""
    if not settings.rpc_url:
        return None
    return TokenReader(
        RpcClient(session, settings.rpc_url),
        redis,
        settings.keys,
        passphrase=settings.network_passphrase,
        clock=clock,
    )
