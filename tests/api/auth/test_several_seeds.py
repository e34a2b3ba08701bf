"""SIGNING_SEED with several seeds, as while one replaces another: the first one signs."""

from __future__ import annotations

from stellar_sdk import Keypair

from tests.api.auth.samples import ALICE, SERVER, WALLETS, Horizon, challenge, signed
from tests.support.web_client import StartApi, WebClient

NEXT = Keypair.random()


async def answered(client: WebClient, envelope: str) -> int:
    response = await client.post("/v1/auth", json={"transaction": signed(envelope, ALICE)})
    return response.status


async def start_with(start: StartApi, horizon: Horizon, *seeds: Keypair) -> WebClient:
    listed = ",".join(seed.secret for seed in seeds)
    settings = WALLETS | {"signing_seed": listed, "horizon_url": horizon.url}
    return await start(**settings, rate_limit_login=1000)


async def test_a_challenge_of_the_old_seed_is_accepted_until_it_is_removed(
    start: StartApi, horizon: Horizon
) -> None:
    before = await start_with(start, horizon, SERVER)
    one, other = [await challenge(before, ALICE.public_key) for _ in range(2)]
    while_both = await start_with(start, horizon, NEXT, SERVER)
    assert await answered(while_both, one) == 200
    assert await answered(while_both, one) == 401, "it works once, whichever seed signed it"
    after = await start_with(start, horizon, NEXT)
    assert await answered(after, other) == 401


async def test_the_first_seed_signs(start: StartApi, horizon: Horizon) -> None:
    client = await start_with(start, horizon, SERVER, NEXT)
    assert await answered(client, await challenge(client, ALICE.public_key)) == 200
    toml = await (await client.get("/.well-known/stellar.toml")).text()
    assert f'SIGNING_KEY = "{SERVER.public_key}"' in toml
    assert NEXT.public_key not in toml
