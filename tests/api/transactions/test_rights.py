"""Who may prepare, submit and read: the source itself, or a scope; with quotas and amounts."""

from __future__ import annotations

from typing import Any

import pytest
from stellar_sdk import Keypair

from deploy.simulator.chain import accounts
from tests.api.auth.samples import ADMIN, REQUIRED, bearer, token_of, writer
from tests.api.transactions.network import (
    ALICE,
    BOB,
    CAROL,
    CREATE,
    Journal,
    ask,
    of_stream,
    signed,
)
from tests.indexer.simulated import Sim
from tests.support.web_client import StartApi, WebClient

pytestmark = pytest.mark.io

SERVER = bearer(token_of(Keypair.random().public_key, "transactions:any", "events:all"))
Headers = dict[str, str]


@pytest.fixture
async def strict(start: StartApi, settings: dict[str, Any]) -> WebClient:
    """An API in AUTH_MODE=required."""
    return await start(**REQUIRED, **settings)


async def key_of(client: WebClient, **more: Any) -> Headers:
    """The header with a new API key of Alice."""
    body = {"name": "pay", "scopes": ["streams:write"], "account": ALICE.public_key, **more}
    async with client.post("/v1/keys", json=body, headers=ADMIN) as response:
        document = await response.json()
        assert response.status == 201, document
        return bearer(document["key"])


async def prepare(client: WebClient, headers: Headers, status: int = 200, **body: Any) -> Any:
    return await ask(client, "", status, json=body, headers=headers)


async def submit(
    client: WebClient, headers: Headers, document: Any, signer: Keypair, status: int = 202
) -> Any:
    body = {"xdr": signed(document, signer)}
    return await ask(client, "/submit", status, json=body, headers=headers)


async def test_only_the_source_may_prepare_submit_and_read(
    strict: WebClient, sim: Sim, journal: Journal
) -> None:
    await ask(strict, "", 401, json=CREATE)
    alice, bob = writer(ALICE), writer(BOB)
    await prepare(strict, bob, 403, **CREATE)
    own = {name: value for name, value in CREATE.items() if name != "source"}
    document = await prepare(strict, alice, **own)
    assert document["source"] == ALICE.public_key
    await submit(strict, bob, document, ALICE, 403)
    await submit(strict, alice, document, ALICE)
    for closes in (0, 1):
        sim.close(closes)
        await ask(strict, f"/{document['hash']}", 403, headers=bob)
        await ask(strict, f"/{document['hash']}", headers=alice)
    await journal.read()
    await prepare(strict, bob, 403, **of_stream("pause", ALICE))
    await prepare(strict, writer(CAROL), 403, **of_stream("withdraw", CAROL))


async def test_a_token_that_may_not_write_prepares_nothing(strict: WebClient) -> None:
    await prepare(strict, bearer(token_of(ALICE.public_key)), 403, **CREATE)
    narrowed = writer(ALICE, topics=["user:" + BOB.public_key])
    await prepare(strict, narrowed, 403, **CREATE)


async def test_a_server_with_the_scope_prepares_for_everybody(
    strict: WebClient, sim: Sim, journal: Journal
) -> None:
    document = await prepare(strict, SERVER, **CREATE)
    await submit(strict, SERVER, document, ALICE)
    sim.close()
    await ask(strict, f"/{document['hash']}", headers=SERVER)
    await journal.read()
    assert (await prepare(strict, SERVER, **of_stream("pause", ALICE)))["action"] == "pause"


async def test_an_api_key_may_take_so_much_of_a_token(
    strict: WebClient, sim: Sim, journal: Journal
) -> None:
    limited = await key_of(strict, maxAmounts={accounts.TOKEN: "1000000"})
    within = await prepare(strict, limited, **CREATE)
    above = CREATE | {"amount": "1000001"}
    problem = await prepare(strict, limited, 403, **above)
    assert (problem["type"], problem["limit"]) == ("/problems/amount-limit", "1000000")
    other = CREATE | {"token": accounts.GOLD, "amount": "1"}
    problem = await prepare(strict, limited, 403, **other)
    assert (problem["token"], problem["limit"]) == (accounts.GOLD, None)
    document = await prepare(strict, writer(ALICE), **above)
    problem = await submit(strict, limited, document, ALICE, 403)
    assert problem["type"] == "/problems/amount-limit"
    await submit(strict, limited, within, ALICE)
    sim.close()
    top_up = {**of_stream("top_up", ALICE), "amount": "1000001"}
    await journal.read()
    await prepare(strict, limited, 403, **top_up)
    await prepare(strict, limited, **top_up | {"amount": "1000000"})
    assert (await prepare(strict, limited, **of_stream("cancel", ALICE)))["action"] == "cancel"


async def test_a_key_submits_no_top_up_in_another_token(
    strict: WebClient, sim: Sim, journal: Journal
) -> None:
    await submit(strict, writer(ALICE), await prepare(strict, writer(ALICE), **CREATE), ALICE)
    sim.close()
    await journal.read()
    top_up = {**of_stream("top_up", ALICE), "amount": "5000"}
    document = await prepare(strict, writer(ALICE), **top_up)
    limited = await key_of(strict, maxAmounts={accounts.GOLD: "1000000"})
    problem = await submit(strict, limited, document, ALICE, 403)
    assert (problem["token"], problem["limit"]) == (accounts.TOKEN, None)


async def test_the_list_of_keys_shows_the_amounts(strict: WebClient) -> None:
    await key_of(strict, maxAmounts={accounts.TOKEN: "1000000"})
    await key_of(strict)
    async with strict.get("/v1/keys", headers=ADMIN) as response:
        shown = [each["maxAmounts"] for each in (await response.json())["items"]]
    assert sorted(shown, key=str) == [None, {accounts.TOKEN: "1000000"}]


async def test_an_account_prepares_a_limited_number_in_a_minute(
    start: StartApi, settings: dict[str, Any]
) -> None:
    api = await start(**REQUIRED, **settings, rate_limit_transactions=2)
    for _ in range(2):
        await prepare(api, writer(ALICE), **CREATE)
    problem = await prepare(api, writer(ALICE), 429, **CREATE)
    assert "transactions" in problem["detail"]
    await prepare(api, writer(BOB), 403, **CREATE)
