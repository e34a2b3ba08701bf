"""Answers of Stellar RPC that lost or invented something: an error, and nothing of them is used."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.simulator.chain import accounts
from shared.domain.position import toid
from tests.indexer.handmade import created
from tests.indexer.simulated import Read
from tests.indexer.sources.rpc.test_source_odd import (
    LEDGER,
    START,
    answer,
    details,
    event,
    fails,
    served,
    split,
)

pytestmark = [pytest.mark.io, pytest.mark.timeout(20)]

PAGES: list[tuple[Any, str]] = [
    (answer(events=...), "'events'"),
    (answer(events={}), "'events'"),
    (answer(cursor=...), "'cursor'"),
    (answer(cursor="x"), "'cursor'"),
    (answer(latestLedger="7"), "'latestLedger'"),
    (answer(latestLedgerCloseTime="soon"), "'latestLedgerCloseTime'"),
    (answer(latestLedgerCloseTime="9" * 12), "'latestLedgerCloseTime'"),
    (answer(cursor=f"{toid(LEDGER - 9)}-0"), "out of order"),
    (answer(cursor=f"{toid(LEDGER + 9)}-0"), "above the last ledger"),
    (answer(event(1), event(0)), "out of order"),
    (answer(event(0), event(0)), "out of order"),
    (answer(event(0, 2), event(0, 1)), "out of order"),
    (answer("x"), "an event is not an object: 'x'"),
    (answer(event(contractId=accounts.TOKEN)), "a contract that was not requested"),
    (answer(event(contractId=...)), "'contractId'"),
    (answer(event(id="x")), "'id'"),
    (answer(event(ledger=LEDGER + 1)), "is not in ledger"),
    (answer(event(ledger=True)), "'ledger'"),
    (answer(event(topic="x")), "'topic'"),
    (answer(event(topic=["x"])), "'topic'"),
    (answer(event(value=...)), "'value'"),
    (answer(event(value="?")), "'value'"),
    (answer(event(txHash="AB" * 32)), "'txHash'"),
    (answer(event(ledgerClosedAt="yesterday")), "'ledgerClosedAt'"),
    (answer(event(ledgerClosedAt="2026-07-21T18:01:10")), "'ledgerClosedAt'"),
    (answer(event(0), event(1, txHash="cd" * 32)), "differ in hash or close time"),
]


@pytest.mark.parametrize(
    ("page", "word"), PAGES, ids=[f"{i}-{w}" for i, (_, w) in enumerate(PAGES)]
)
async def test_a_page_is_read_strictly(page: Any, word: str) -> None:
    async with served(page) as source:
        await fails(source, "malformed", word)


DETAILS: list[tuple[Any, str, str]] = [
    (details(status="odd"), "malformed", "'odd'"),
    (details(ledger=LEDGER + 1), "malformed", "not in"),
    (details(envelopeXdr=...), "malformed", "'envelopeXdr'"),
    (details(resultXdr="?"), "malformed", "'resultXdr'"),
    (details(resultMetaXdr=...), "malformed", "'resultMetaXdr'"),
    (details(resultMetaXdr=""), "undecodable", ""),
    (details(status="FAILED"), "unproved", ""),
    ({"status": "NOT_FOUND", "latestLedger": LEDGER - 1}, "behind", "ends at ledger"),
]


@pytest.mark.parametrize(("result", "kind", "word"), DETAILS, ids=range(len(DETAILS)))
async def test_details_are_read_strictly(result: Any, kind: str, word: str) -> None:
    async with served(transaction=result) as source:
        await fails(source, kind, word)


INVENTED = [
    [event(0), event(1)],
    [event(0, topic=split(created(8))[0])],
    [event(1)],
]


@pytest.mark.parametrize("events", INVENTED, ids=range(len(INVENTED)))
async def test_events_that_the_transaction_does_not_hold_are_unproved(events: list[object]) -> None:
    async with served(answer(*events)) as source:
        await fails(source, "unproved")


async def test_an_event_without_topics_is_accepted() -> None:
    async with served(answer(event(topic=...)), {"status": "NOT_FOUND"}) as source:
        read = await Read(START).up_to(START + 1, source)
    [result] = [e for b in read.batches for e in b.events]
    assert (result.type, result.facts["topicsXdr"]) == ("chain.unknown", [])


async def test_events_of_a_whole_transaction_are_skipped() -> None:
    """Fees of the native asset have ids of several transactions."""
    first = event(id=f"{toid(LEDGER):019d}-{0:010d}", txHash="cd" * 32)
    second = event(id=f"{toid(LEDGER):019d}-{1:010d}", txHash="ef" * 32)
    after = event(id=f"{toid(LEDGER, 1, 4095):019d}-{0:010d}")
    last = event(id=f"{toid(LEDGER, (1 << 20) - 1):019d}-{0:010d}")
    async with served(answer(first, second, event(), after, last)) as source:
        read = await Read(START - 1).up_to(START + 1, source)
    assert read.positions == [f"{toid(LEDGER, 1)}-0"]
    assert not read.kinds


async def test_in_successful_contract_call_is_ignored() -> None:
    """Newer versions do not send the field, and nothing proves it."""
    async with served(answer(event(inSuccessfulContractCall=False))) as source:
        read = await Read(START).up_to(START + 1, source)
    assert len(read.positions) == 1
