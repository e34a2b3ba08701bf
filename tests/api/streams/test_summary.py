"""Summaries: totals, the clock they use, and limited work."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis
from stellar_sdk import Keypair, StrKey

from shared.domain.stream import I128_MAX
from shared.journal.keys import Keys
from tests.api.samples import RECIPIENT, SENDER, T0, TOKEN, Clock, made, made_and_accepted, on_chain
from tests.support.web_client import WebClient

OTHER_TOKEN = StrKey.encode_contract(bytes(32))
NOBODY = Keypair.random().public_key
NONE = {"active": 0, "paused": 0, "completed": 0, "cancelled": 0}
EMPTY = {"streams": 0, "counts": {"sent": NONE, "received": NONE}, "tokens": []}


async def summary(
    client: WebClient, account: str, status: int = 200, **query: Any
) -> dict[str, Any]:
    response = await client.get(f"/v1/users/{account}/summary", params=query)
    document = await response.json(content_type=None)
    assert response.status == status, document
    return document


async def test_the_summary_of_an_account_without_streams(client: WebClient) -> None:
    document = await summary(client, NOBODY)
    assert document == {
        "account": NOBODY,
        "chain": EMPTY,
        "api": EMPTY,
        "tokens": {},
        "pending": 0,
        "hidden": 0,
        "next": None,
        "position": "0-0",
    }


async def test_the_summary_of_sent_and_received_streams(
    client: WebClient, redis: Redis, keys: Keys, clock: Clock
) -> None:
    first = await made_and_accepted(client)  # 1000 at 10 a second
    paused = await made_and_accepted(client, tokenAddress=OTHER_TOKEN)
    gone = await made_and_accepted(client, sender=RECIPIENT, recipient=SENDER)
    clock.now = T0 + 30
    await client.post(f"/v1/streams/{first['id']}/withdraw")
    await client.post(f"/v1/streams/{paused['id']}/pause")
    await client.delete(f"/v1/streams/{gone['id']}")
    clock.now = T0 + 50
    await on_chain(redis, keys, 7, ledger="9", closedAt="2026-02-02T02:40:10Z")  # T0 + 10

    document = await summary(client, SENDER)
    assert (document["chain"]["streams"], document["api"]["streams"]) == (1, 3)
    assert document["api"]["counts"]["sent"] == NONE | {"active": 1, "paused": 1}
    assert document["api"]["counts"]["received"] == NONE | {"cancelled": 1}
    assert document["chain"]["counts"] == {"sent": NONE | {"active": 1}, "received": NONE}
    tokens = {t["tokenAddress"]: t for t in document["api"]["tokens"]}
    assert tokens[TOKEN]["sent"] == {
        "deposited": "1000", "withdrawn": "300", "refunded": "0", "remaining": "700"
    }  # fmt: skip
    assert tokens[TOKEN]["received"] == {
        "withdrawn": "300", "claimable": "0", "claimableUnknown": 0, "remaining": "0"
    }  # fmt: skip
    mirrored = await summary(client, RECIPIENT)
    tokens = {t["tokenAddress"]: t for t in mirrored["api"]["tokens"]}
    # 20 seconds since the withdrawal by the clock of Redis, 10 by the ledger's.
    assert tokens[TOKEN]["received"] == {
        "withdrawn": "300", "claimable": "200", "claimableUnknown": 0, "remaining": "700"
    }  # fmt: skip
    assert tokens[OTHER_TOKEN]["received"]["claimable"] == "300"
    assert mirrored["api"]["counts"]["sent"] == NONE | {"cancelled": 1}
    (token,) = mirrored["chain"]["tokens"]
    assert token["received"] == {
        "withdrawn": "0", "claimable": "100", "claimableUnknown": 0, "remaining": "1000"
    }  # fmt: skip


async def test_a_stream_that_was_not_accepted_is_in_no_sum_of_its_recipient(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    await on_chain(redis, keys, 7)
    before = await summary(client, RECIPIENT)
    for _ in range(3):
        await made(client, depositedAmount=str(10**30), metadata={"label": "your prize"})
    spammed = await summary(client, RECIPIENT)
    assert (spammed["chain"], spammed["api"]) == (before["chain"], EMPTY)
    assert (spammed["pending"], spammed["hidden"], spammed["next"]) == (3, 0, None)
    assert (await summary(client, SENDER))["api"]["counts"]["sent"]["active"] == 3
    await client.post("/v1/streams/7/hide")
    hidden = await summary(client, RECIPIENT)
    assert (hidden["chain"], hidden["pending"], hidden["hidden"]) == (EMPTY, 3, 1)
    assert (await summary(client, SENDER))["chain"]["streams"] == 1, "only the recipient hid it"


async def test_pending_streams_take_no_place_in_a_page_of_the_summary(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    await on_chain(redis, keys, 7)
    for _ in range(3):
        await made(client)
    page = await summary(client, RECIPIENT, limit=1)
    assert (page["chain"]["streams"], page["next"]) == (1, None)


async def test_a_stream_to_oneself_counts_on_both_sides_but_once(client: WebClient) -> None:
    await made(client, recipient=SENDER)
    document = await summary(client, SENDER)
    assert (document["api"]["streams"], document["pending"]) == (1, 0)
    counts = document["api"]["counts"]
    assert counts["sent"]["active"] == counts["received"]["active"] == 1


async def test_totals_can_exceed_128_bits(client: WebClient) -> None:
    for _ in range(2):
        await made(client, depositedAmount=str(I128_MAX), ratePerSecond="1")
    (token,) = (await summary(client, SENDER))["api"]["tokens"]
    assert token["sent"]["deposited"] == str(2 * I128_MAX)


async def test_a_long_list_is_summed_in_several_calls(client: WebClient, clock: Clock) -> None:
    for _ in range(7):
        clock.now += 1
        await made_and_accepted(client)
    parts: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    while not parts or parts[-1]["next"]:
        parts.append(await summary(client, RECIPIENT, limit=3, **cursor))
        cursor = {"cursor": parts[-1]["next"]}
    assert [part["api"]["streams"] for part in parts] == [3, 3, 1]
    assert sum(int(part["api"]["tokens"][0]["received"]["remaining"]) for part in parts) == 7000


@pytest.mark.parametrize(("account", "query", "status"), [
    ("G123", {}, 404), (SENDER, {"limit": 0}, 422), (SENDER, {"cursor": "x"}, 422),
    (SENDER, {"user": SENDER}, 422),
])  # fmt: skip
async def test_invalid_parameters_are_refused(
    client: WebClient, account: str, query: dict[str, Any], status: int
) -> None:
    await summary(client, account, status, **query)


async def test_a_stream_of_unknown_amount_is_counted_and_not_summed(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    await on_chain(redis, keys, 7)
    await on_chain(redis, keys, 8, schedule={"kind": "allowance"})
    (token,) = (await summary(client, RECIPIENT))["chain"]["tokens"]
    assert token["received"]["claimableUnknown"] == 1
    document = await (await client.get("/v1/streams/8")).json()
    assert (document["claimable"], document["schedule"]) == (None, {"kind": "allowance"})
    assert document["claimableUnknown"] == "depends_on_allowance"
