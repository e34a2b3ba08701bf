"""Reading tokens: new ones soon, all again after a day; whatever RPC does."""

from __future__ import annotations

import pytest
from stellar_sdk import StrKey

from deploy.simulator.chain import accounts
from deploy.simulator.chain.entries import entry_key
from deploy.simulator.contracts.storage import INSTANCE_KEY, silent_instance, token_instance
from deploy.simulator.contracts.stream_contract import ASSET
from services.indexer.tokens.reader import DAY, MISSING_SECONDS, MOST_TOKENS
from shared.domain.tokens import UNKNOWN_TOKEN, TokenInfo
from shared.journal.tokens import DueToken
from tests.api.samples import T0
from tests.indexer.tokens.reading import Tokens, until_told
from tests.support.waiting import until

pytestmark = [pytest.mark.timeout(60), pytest.mark.io]
USDC = TokenInfo("USDC", ASSET, 7, ASSET, T0)


async def test_a_new_token_is_read_soon(bench: Tokens) -> None:
    async with bench.reading():
        await bench.create("usdc")
        assert await until_told(bench, accounts.TOKEN) == USDC
        await bench.create("gold")
        gold = TokenInfo("GOLD", "Grams of gold", 2, None, T0)
        assert await until_told(bench, accounts.GOLD) == gold


async def test_only_a_true_asset_contract_has_an_asset(bench: Tokens) -> None:
    await bench.create("usdc", "xlm", "impostor")
    await bench.read()
    told = await bench.all_told("usdc", "xlm", "impostor")
    assert {name: info.asset for name, info in told.items()} == {
        "usdc": ASSET, "xlm": "native", "impostor": None
    }  # fmt: skip
    assert told["impostor"].name == ASSET


async def test_of_a_silent_and_of_a_hostile_token_nothing_is_known(bench: Tokens) -> None:
    await bench.create("silent", "hostile")
    assert await bench.read() == [2]
    nothing = TokenInfo(read_at=T0)
    assert await bench.all_told("silent", "hostile") == {"silent": nothing, "hostile": nothing}


async def test_all_tokens_are_read_again_after_a_day(bench: Tokens) -> None:
    await bench.create("usdc", "gold")
    assert await bench.read() == [2]
    other = token_instance("AU", "Gold", 3)
    bench.sim.network.put_instance(accounts.GOLD, other)
    bench.sim.network.put_instance(accounts.TOKEN, silent_instance())
    bench.clock.now += DAY - 1
    assert await bench.read() == []
    assert (await bench.told(accounts.GOLD)).symbol == "GOLD"
    bench.clock.now += 1
    assert await bench.read() == [2]
    assert await bench.told(accounts.GOLD) == TokenInfo("AU", "Gold", 3, None, T0 + DAY)
    assert await bench.told(accounts.TOKEN) == TokenInfo(read_at=T0 + DAY)


async def test_a_token_that_rpc_lacks_is_tried_again_soon_and_then_daily(bench: Tokens) -> None:
    missing = StrKey.encode_contract(bytes(32))
    await bench.create(missing)
    assert await bench.read() == [1]
    for wait in (MISSING_SECONDS, DAY, DAY):
        bench.clock.now += wait - 1
        assert await bench.read() == []
        bench.clock.now += 1
        assert await bench.read() == [1]
    assert await bench.told(missing) == UNKNOWN_TOKEN
    assert not await bench.redis.hexists(bench.keys.tokens, missing), "takes no memory"


async def test_a_token_that_rpc_no_longer_has_keeps_what_it_told(bench: Tokens) -> None:
    await bench.create("gold")
    await bench.read()
    before = await bench.told(accounts.GOLD)
    bench.sim.network.storage._versions.clear()
    bench.clock.now += DAY
    assert await bench.read() == [1]
    assert await bench.told(accounts.GOLD) == before


async def test_an_archived_token_is_read(bench: Tokens) -> None:
    key = entry_key(accounts.GOLD, INSTANCE_KEY).to_xdr()
    bench.sim.network.storage.archive(key, bench.sim.network.chain.latest.sequence)
    await bench.create("gold")
    await bench.read()
    assert (await bench.told(accounts.GOLD)).symbol == "GOLD"


async def test_a_flood_of_tokens_is_read_in_small_calls_and_chain_tokens_come_first(
    bench: Tokens,
) -> None:
    flood = [StrKey.encode_contract(n.to_bytes(32)) for n in range(3 * MOST_TOKENS)]
    await bench.schedule.add(dict.fromkeys(flood, 1))
    await bench.create("usdc")
    assert await bench.reader.read_due() == MOST_TOKENS
    assert await bench.told(accounts.TOKEN) == USDC
    assert sum(await bench.read()) == 2 * MOST_TOKENS + 1
    assert await bench.redis.hlen(bench.keys.tokens) == 1


async def test_a_chain_token_that_rpc_lacked_is_not_delayed_by_a_flood(bench: Tokens) -> None:
    entries = bench.sim.network.storage._versions
    before = dict(entries)
    entries.clear()  # RPC is some ledgers behind
    await bench.create("usdc")
    assert await bench.read() == [1]
    entries.update(before)
    flood = [StrKey.encode_contract(n.to_bytes(32)) for n in range(1000)]
    await bench.schedule.add(dict.fromkeys(flood, 1))
    bench.clock.now += MISSING_SECONDS
    assert await bench.reader.read_due() == MOST_TOKENS
    assert (await bench.told(accounts.TOKEN)).symbol == "USDC"
    bench.clock.now += DAY
    due = await bench.schedule.due(int(bench.clock.now), 2000)
    assert due[-1] == DueToken(accounts.TOKEN, is_new=False), "was read, so it has no priority"


async def test_tokens_of_streams_from_before_this_version_are_read(bench: Tokens) -> None:
    await bench.create("usdc", "gold", "usdc")
    await bench.redis.delete(bench.keys.index("tokens"))
    async with bench.reading():
        assert await until_told(bench, accounts.TOKEN) == USDC
        assert (await until_told(bench, accounts.GOLD)).decimals == 2
    assert await bench.schedule.is_complete()


async def test_a_deleted_schedule_is_made_again_and_all_tokens_are_read(bench: Tokens) -> None:
    await bench.create("usdc", "gold")
    async with bench.reading():
        index, tokens = bench.keys.index("tokens"), [accounts.TOKEN, accounts.GOLD]

        async def postponed() -> bool:  # what the reader tells comes before that
            scores = await bench.redis.zmscore(index, tokens)
            return all(score and score > bench.clock.now for score in scores)

        await until(postponed, what="the first reading")
        bench.clock.now += 1
        await bench.redis.delete(index)

        async def read_again() -> bool:
            told = await bench.all_told("usdc", "gold")
            return all(info.read_at == T0 + 1 for info in told.values())

        await until(read_again, what="another reading")


async def test_the_old_streams_are_looked_through_only_once(bench: Tokens) -> None:
    async with bench.reading():
        await until(bench.schedule.is_complete, what="the old streams")
    await bench.create("gold")
    await bench.redis.zrem(bench.keys.index("tokens"), accounts.GOLD)
    async with bench.reading():
        await bench.create("usdc")
        await until_told(bench, accounts.TOKEN)
    assert await bench.told(accounts.GOLD) == UNKNOWN_TOKEN
