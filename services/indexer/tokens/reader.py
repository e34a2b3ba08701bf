"""Read the metadata of the tokens of all streams: of a new one within seconds, then once a day.

Strangers can make streams with any number of tokens. So the work is limited: at most one call to
RPC in a second, with at most MOST_TOKENS tokens. Nothing is stored for tokens that do not exist. If
RPC fails, only this reading is delayed, not the ingest.

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
from services.indexer.tokens.metadata import token_info
from services.indexer.tokens.old_streams import schedule_tokens_of_old_streams
from shared.chain.errors import SourceError
from shared.chain.rpc import LedgerEntry, RpcClient
from shared.chain.xdr.ledger_keys import instance_key
from shared.domain.strkeys import CONTRACT, payload_of
from shared.domain.tokens import TokenInfo
from shared.journal.keys import Keys
from shared.journal.tokens import DueToken, StoredTokens, TokenSchedule
from shared.redis.clock import Clock

log = structlog.get_logger()

DAY = 86_400
MISSING_SECONDS = 60
"""If RPC does not have a new token, seconds to the next try: RPC may be some ledgers behind."""
TOO_LARGE_SECONDS = 600
"""If a token fails even alone in a call, seconds to the next try. Other tokens are read first."""
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
        """`passphrase`: that of the network. `pause`: seconds between two reads of the schedule."""
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
        """Read until cancelled. After each failure of RPC, wait twice as long, up to a minute."""
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
        """Read at most MOST_TOKENS due tokens, and return their number. Raises SourceError."""
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
        """The instances of those tokens that RPC has. Raises SourceError."""
        keys = {instance_key(payload_of(CONTRACT, each.address)): each.address for each in due}
        answer = await self._rpc.entries(list(keys))
        return {keys[key]: entry for key, entry in answer.found.items() if key in keys}

    async def _decoded(self, found: Mapping[str, LedgerEntry], now: int) -> dict[str, TokenInfo]:
        decoded = {}
        for address, entry in found.items():
            decoded[address] = token_info(entry.data, address, self._passphrase, now)
            await asyncio.sleep(0)  # an instance can be large: let the ingest run
        return decoded

    async def _ask_for_less(self, due: Sequence[DueToken], now: int) -> None:
        """Read half as many tokens in the next call. Postpone a token that fails alone."""
        if self._most == 1:
            later = now + TOO_LARGE_SECONDS
            await self._schedule.postpone({each.address: each.score(later) for each in due})
        self._most = max(1, self._most // 2)


def _next(token: DueToken, found: Mapping[str, LedgerEntry], now: int) -> int:
    """The score of the next read of a token. `found`: the tokens that RPC has."""
    if token.address in found:
        return now + DAY
    return token.score(now + (MISSING_SECONDS if token.is_new else DAY))


def create_token_reader(
    settings: IndexerSettings, session: aiohttp.ClientSession, redis: Redis, clock: Clock
) -> TokenReader | None:
    """None without RPC_URL: only RPC returns the storage of a contract."""
    if not settings.rpc_url:
        return None
    return TokenReader(
        RpcClient(session, settings.rpc_url),
        redis,
        settings.keys,
        passphrase=settings.network_passphrase,
        clock=clock,
    )
