"""The schedule of the tokens, which the commit fills, and what the tokens tell."""

from __future__ import annotations

from dataclasses import replace

import pytest
from redis.asyncio import Redis

from shared.domain.events import Origin
from shared.domain.tokens import UNKNOWN_TOKEN, TokenInfo
from shared.journal.indexes import token_entry
from shared.journal.keys import Keys
from shared.journal.tokens import DueToken, StoredTokens, TokenSchedule
from tests.api.samples import on_chain
from tests.shared.samples import TOKEN, a_stream

pytestmark = [pytest.mark.timeout(20), pytest.mark.io]
MOST = 100


@pytest.fixture
def schedule(redis: Redis, keys: Keys) -> TokenSchedule:
    return TokenSchedule(redis, keys)


async def test_the_commit_of_a_new_stream_adds_its_token(
    redis: Redis, keys: Keys, schedule: TokenSchedule
) -> None:
    assert await schedule.due(1000, MOST) == []
    await on_chain(redis, keys, 7)
    [due] = await schedule.due(1000, MOST)
    assert due.is_new


async def test_another_stream_of_a_token_does_not_bring_its_reading_forward(
    redis: Redis, keys: Keys, schedule: TokenSchedule
) -> None:
    await on_chain(redis, keys, 7)
    [due] = await schedule.due(1000, MOST)
    await schedule.postpone({due.address: 5000})
    await on_chain(redis, keys, 8)
    assert await schedule.due(4999, MOST) == []
    assert await schedule.due(5000, MOST) == [DueToken(due.address, False)]


async def test_a_token_of_the_chain_comes_before_those_of_api_streams(
    schedule: TokenSchedule,
) -> None:
    await schedule.postpone({"old": 900})
    await schedule.add({"api-1": 1, "api-2": 1})
    await schedule.add({"chain": 0, "api-1": 0, "old": 0})
    assert await schedule.due(1000, 2) == [
        DueToken("chain", True, True), DueToken("api-1", True)
    ]  # fmt: skip
    assert (await schedule.due(1000, MOST))[-1] == DueToken("old", False)
    assert DueToken("old", False) not in await schedule.due(899, MOST)


async def test_an_unread_token_of_the_chain_keeps_its_priority(schedule: TokenSchedule) -> None:
    await schedule.add({"chain": 0, "api-1": 1})
    for due in await schedule.due(1000, MOST):
        await schedule.postpone({due.address: due.score(1060)})
    await schedule.add({"api-2": 1, "chain-2": 0})
    assert DueToken("chain", False, True) not in await schedule.due(1059, MOST)
    assert await schedule.due(1060, MOST) == [
        DueToken("chain", False, True),
        DueToken("chain-2", True, True),
        DueToken("api-2", True),
        DueToken("api-1", False),
    ]
    assert await schedule.due(1060, 1) == [DueToken("chain", False, True)]


async def test_that_all_tokens_are_there_is_remembered_and_is_no_token(
    schedule: TokenSchedule,
) -> None:
    assert not await schedule.is_complete()
    await schedule.set_complete()
    assert await schedule.is_complete()
    assert await schedule.due(1 << 40, MOST) == []


async def test_what_tokens_tell_is_kept(redis: Redis, keys: Keys) -> None:
    stored, told = StoredTokens(redis, keys), TokenInfo("USDC", "US Dollar", 7, None, 1_770_000_000)
    assert await stored.find([]) == {}
    await stored.put({})
    await stored.put({"A": told, "B": UNKNOWN_TOKEN})
    assert await stored.find(["A", "B", "C"]) == {"A": told, "B": UNKNOWN_TOKEN, "C": UNKNOWN_TOKEN}


def test_the_token_of_a_stream() -> None:
    stream = replace(a_stream(), origin=Origin.CHAIN)
    assert token_entry(stream) == {TOKEN: 0}
    assert token_entry(replace(stream, origin=Origin.API)) == {TOKEN: 1}
    assert token_entry(replace(stream, token="G")) == {}
