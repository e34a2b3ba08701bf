"""Reading tokens while RPC fails, answers slowly, or answers nonsense."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from stellar_sdk import StrKey

from deploy.simulator.chain import accounts
from deploy.simulator.contracts.stream_contract import ASSET
from services.indexer.tokens.reader import TOO_LARGE_SECONDS
from shared.chain.errors import SourceError
from shared.chain.rpc import LedgerEntries, RpcClient
from shared.chain.xdr.ledger_keys import instance_key
from shared.domain.strkeys import CONTRACT, payload_of
from shared.domain.tokens import UNKNOWN_TOKEN, TokenInfo
from tests.api.samples import T0
from tests.indexer.simulated import Sim
from tests.indexer.tokens.reading import Tokens, until_told

pytestmark = [pytest.mark.timeout(60), pytest.mark.io]
USDC = TokenInfo("USDC", ASSET, 7, ASSET, T0)


async def test_without_rpc_the_ingest_goes_on_and_the_tokens_are_read_later(
    bench: Tokens,
) -> None:
    async with bench.reading(bench.made("nothing-here")) as task:
        await bench.create("usdc")
        await bench.create("gold")
        assert not task.done()
        assert await bench.told(accounts.GOLD) == UNKNOWN_TOKEN
    await bench.sim.arm("503", surface="rpc", times=1)
    with pytest.raises(SourceError):
        await bench.reader.read_due()
    assert await bench.read() == [2]
    assert await bench.told(accounts.TOKEN) == USDC


async def test_a_chain_token_that_always_fails_does_not_block_the_others(bench: Tokens) -> None:
    await bench.create("gold")
    await bench.create("usdc")
    rpc = Slow(bench.sim, most=50, never=accounts.GOLD)
    bench.reader._rpc = rpc
    for _ in range(20):
        with suppress(SourceError):
            await bench.reader.read_due()
        bench.clock.now += 60  # the longest wait between two reads
        if (await bench.told(accounts.TOKEN)).symbol:
            break
    assert (await bench.told(accounts.TOKEN)).symbol == "USDC"
    rpc.never = None
    bench.clock.now += TOO_LARGE_SECONDS
    await bench.read()
    assert (await bench.told(accounts.GOLD)).symbol == "GOLD"


ANSWERS = [
    {"kind": "not_found", "status": 404},
    {"kind": "503"},
    {"kind": "malformed"},
    {"kind": "error"},
    {"kind": "slow", "seconds": 3},
]


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
async def test_a_wrong_or_slow_answer_only_delays_the_tokens(
    bench: Tokens, answer: dict[str, Any]
) -> None:
    await bench.sim.arm(surface="getLedgerEntries", times=2, **answer)
    async with bench.reading(bench.made(seconds=2.0)) as task:
        await bench.create("usdc")
        await bench.create("gold")
        assert (await until_told(bench, accounts.GOLD)).symbol == "GOLD"
        assert not task.done()
    assert await bench.sim.unspent() == []


async def test_after_an_answer_that_takes_too_long_fewer_tokens_are_asked(bench: Tokens) -> None:
    flood = [StrKey.encode_contract(n.to_bytes(32)) for n in range(8)]
    await bench.schedule.add(dict.fromkeys(flood, 1))
    await bench.create("usdc")
    rpc = Slow(bench.sim, most=1)
    bench.reader._rpc = rpc
    for _ in range(20):
        try:
            await bench.reader.read_due()
        except SourceError:
            continue
        break
    assert rpc.asked[0] == 9
    assert rpc.asked[-1] == 1
    assert await bench.told(accounts.TOKEN) == USDC


class Slow(RpcClient):
    """An RPC that answers only small calls in time, and none for the token `never`."""

    def __init__(self, sim: Sim, most: int, never: str | None = None) -> None:
        super().__init__(sim.session, f"{sim.url}/rpc")
        self.most = most
        self.never = never
        self.asked: list[int] = []

    async def entries(self, keys: Sequence[bytes]) -> LedgerEntries:
        self.asked.append(len(keys))
        is_slow = self.never and instance_key(payload_of(CONTRACT, self.never)) in keys
        if len(keys) > self.most or is_slow:
            raise SourceError("unreachable", "took too long", is_too_large=True)
        return await super().entries(keys)
