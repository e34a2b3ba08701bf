"""The metadata of tokens (symbol, name, decimals), from their contracts or the setting TOKENS.

If the contract has a symbol and decimals, its values are used, because a setting can be old or
mistyped. Values of the contract and of the setting are never mixed: the symbol of one with the
decimals of the other could show a wrong amount.

See docs/decisions/0084-tokens-name-themselves.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from redis.asyncio import Redis

from shared.domain.tokens import TokenInfo, TokenSpec
from shared.journal.keys import Keys
from shared.journal.tokens import StoredTokens

TokenDocument = dict[str, object]


class TokenDirectory:
    """The tokens of one namespace. `specs`: the tokens in the setting TOKENS."""

    def __init__(self, redis: Redis, keys: Keys, specs: Iterable[TokenSpec] = ()) -> None:
        self._stored = StoredTokens(redis, keys)
        self._specs = {each.address: each for each in specs}

    async def get(self, address: str) -> TokenDocument:
        """One token. If no stream has it, only the setting can say something of it."""
        return (await self.of([address]))[address]

    async def of(self, addresses: Collection[str]) -> dict[str, TokenDocument]:
        """The documents of these tokens, by address, in the order of the addresses."""
        found = await self._stored.find(sorted(set(addresses)))
        return {a: _document(a, info, self._specs.get(a)) for a, info in found.items()}


def _document(address: str, info: TokenInfo, spec: TokenSpec | None) -> TokenDocument:
    source: str | None = "contract"
    if spec and (info.symbol is None or info.decimals is None):
        info, source = TokenInfo(spec.symbol, None, spec.decimals), "setting"
    elif (info.symbol, info.name, info.decimals) == (None, None, None):
        info, source = TokenInfo(), None
    return {
        "address": address,
        "symbol": info.symbol,
        "name": info.name,
        "decimals": info.decimals,
        "asset": info.asset,
        "source": source,
        "readAt": info.read_at,
    }
