"""What the API says of tokens: alone, in lists and in summaries; contract before setting."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis
from stellar_sdk import Asset, StrKey

from shared.domain.tokens import TokenInfo
from shared.journal.keys import Keys
from shared.journal.tokens import StoredTokens
from tests.api.auth.samples import REQUIRED, bearer, token_of
from tests.api.samples import RECIPIENT, SENDER, TOKEN, made, on_chain
from tests.support.web_client import StartApi, WebClient

OTHER = StrKey.encode_contract(bytes(32))
UNKNOWN = dict.fromkeys(("symbol", "name", "decimals", "asset", "source", "readAt"))
ASSET = f"USDC:{SENDER}"
USDC = {
    "address": TOKEN,
    "symbol": "USDC",
    "name": ASSET,
    "decimals": 7,
    "asset": ASSET,
    "source": "contract",
    "readAt": 1_770_000_000,
}


@pytest.fixture
def stored(redis: Redis, keys: Keys) -> StoredTokens:
    return StoredTokens(redis, keys)


async def told(stored: StoredTokens, **more: Any) -> None:
    info: dict[str, Any] = {
        "symbol": "USDC",
        "name": ASSET,
        "decimals": 7,
        "asset": ASSET,
        "read_at": USDC["readAt"],
    }
    await stored.put({TOKEN: TokenInfo(**info | more)})


async def get(client: WebClient, path: str, status: int = 200, **more: Any) -> Any:
    response = await client.get(path, **more)
    document = await response.json(content_type=None)
    assert response.status == status, document
    return document


@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_a_token_that_tells(client: WebClient, stored: StoredTokens, prefix: str) -> None:
    await made(client)
    await told(stored)
    assert await get(client, f"{prefix}/tokens/{TOKEN}") == USDC


async def test_a_token_that_was_not_read_or_tells_nothing(
    client: WebClient, stored: StoredTokens
) -> None:
    await made(client)
    nothing = {"address": TOKEN, **UNKNOWN}
    assert await get(client, f"/v1/tokens/{TOKEN}") == nothing
    await stored.put({TOKEN: TokenInfo(read_at=5)})
    assert await get(client, f"/v1/tokens/{TOKEN}") == nothing


async def test_a_token_can_tell_only_a_part(client: WebClient, stored: StoredTokens) -> None:
    await made(client)
    await told(stored, symbol=None)
    assert await get(client, f"/v1/tokens/{TOKEN}") == USDC | {"symbol": None}


async def test_nothing_is_known_of_a_token_of_no_stream(client: WebClient) -> None:
    assert await get(client, f"/v1/tokens/{TOKEN}") == {"address": TOKEN, **UNKNOWN}


@pytest.mark.parametrize("address", ["USDC", SENDER, TOKEN[:-1] + "A", "C" * 56, "%00", "x" * 500])
async def test_an_invalid_address_is_refused(client: WebClient, address: str) -> None:
    problem = await get(client, f"/v1/tokens/{address}", 400)
    assert problem["type"] == "/problems/malformed"
    assert "is not a contract address (C…)" in problem["detail"]


async def test_lists_name_their_tokens(
    client: WebClient, stored: StoredTokens, redis: Redis, keys: Keys
) -> None:
    await told(stored)
    await made(client, tokenAddress=OTHER)
    await made(client)
    await on_chain(redis, keys, 7)
    both = {OTHER: {"address": OTHER, **UNKNOWN}, TOKEN: USDC}
    assert (await get(client, "/v1/streams"))["tokens"] == both
    assert (await get(client, f"/v1/streams?token={TOKEN}"))["tokens"] == {TOKEN: USDC}
    assert (await get(client, "/v1/streams?status=paused"))["tokens"] == {}


async def test_summaries_name_their_tokens(
    client: WebClient, stored: StoredTokens, redis: Redis, keys: Keys
) -> None:
    await told(stored)
    await made(client, tokenAddress=OTHER)
    await on_chain(redis, keys, 7)
    mine = await get(client, f"/v1/users/{SENDER}/summary")
    assert mine["tokens"] == {OTHER: {"address": OTHER, **UNKNOWN}, TOKEN: USDC}
    assert {each["tokenAddress"] for each in mine["chain"]["tokens"]} == {TOKEN}
    # The other stream waits for the recipient's answer, so it is in none of the sums.
    assert (await get(client, f"/v1/users/{RECIPIENT}/summary"))["tokens"] == {TOKEN: USDC}


async def test_the_setting_helps_where_the_token_does_not_tell(
    start: StartApi, stored: StoredTokens
) -> None:
    client = await start(tokens=f"{TOKEN}=USD:2")
    await made(client)
    set_by_us = {"address": TOKEN, **UNKNOWN, "symbol": "USD", "decimals": 2, "source": "setting"}
    assert await get(client, f"/v1/tokens/{TOKEN}") == set_by_us
    for silent in ({"symbol": None}, {"decimals": None}):
        await told(stored, **silent)
        assert await get(client, f"/v1/tokens/{TOKEN}") == set_by_us
    await told(stored)
    assert await get(client, f"/v1/tokens/{TOKEN}") == USDC, "the contract comes first"
    await told(stored, name=None, asset=None)
    assert await get(client, f"/v1/tokens/{TOKEN}") == USDC | {"name": None, "asset": None}


async def test_everybody_who_may_read_may_read_a_token(
    start: StartApi, stored: StoredTokens
) -> None:
    client = await start(**REQUIRED)
    made_by = bearer(token_of(SENDER, "streams:write"))
    body = {"sender": SENDER, "recipient": RECIPIENT, "tokenAddress": TOKEN}
    body |= {"ratePerSecond": "10", "depositedAmount": "1000"}
    response = await client.post("/v1/streams", json=body, headers=made_by)
    assert response.status == 201
    await told(stored)
    stranger = bearer(token_of(Asset.native().contract_id("any")))
    assert await get(client, f"/v1/tokens/{TOKEN}", headers=stranger) == USDC
    await get(client, f"/v1/tokens/{TOKEN}", 401)
