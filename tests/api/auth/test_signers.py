"""Which signers may log in for an account, and which answers of Horizon are accepted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from stellar_sdk import Keypair, MuxedAccount

from tests.api.auth.samples import ALICE, BOB, CAROL, Horizon, challenge, claims_of, log_in, signed
from tests.support.web_client import WebClient

DAVE = Keypair.random()


async def status_of(client: WebClient, envelope: str) -> tuple[int, Any]:
    response = await client.post("/v1/auth", json={"transaction": envelope})
    return response.status, await response.json()


async def test_two_of_three_signers_reach_the_threshold(
    wallets: WebClient, horizon: Horizon
) -> None:
    horizon.has(
        ALICE.public_key,
        {ALICE.public_key: 1, BOB.public_key: 1, CAROL.public_key: 1},
        medium=2,
        sha256_hash=5,
        preauth_tx=5,
    )
    for pair in ((ALICE, BOB), (BOB, CAROL)):
        token = await log_in(wallets, ALICE.public_key, *pair)
        assert claims_of(token)["sub"] == ALICE.public_key
    envelope = await challenge(wallets, ALICE.public_key)
    status, document = await status_of(wallets, signed(envelope, ALICE))
    assert (status, document["error"]) == (401, "signers with weight 1 do not meet threshold 2.")
    assert (await status_of(wallets, signed(envelope, BOB, DAVE)))[0] == 401
    assert (await status_of(wallets, signed(envelope, BOB, CAROL)))[0] == 200


async def test_a_master_key_without_weight_cannot_log_in(
    wallets: WebClient, horizon: Horizon
) -> None:
    for medium in (0, 1):
        horizon.has(ALICE.public_key, {ALICE.public_key: 0, BOB.public_key: 1}, medium)
        envelope = await challenge(wallets, ALICE.public_key)
        assert (await status_of(wallets, signed(envelope, ALICE)))[0] == 401
        assert (await status_of(wallets, signed(envelope, BOB)))[0] == 200


async def test_an_account_without_a_usable_signer_cannot_log_in(
    wallets: WebClient, horizon: Horizon
) -> None:
    horizon.has(ALICE.public_key, {ALICE.public_key: 0}, 0, preauth_tx=1)
    envelope = await challenge(wallets, ALICE.public_key)
    assert (await status_of(wallets, signed(envelope, ALICE)))[0] == 401


async def test_a_muxed_account_uses_the_signers_of_its_base_account(
    wallets: WebClient, horizon: Horizon
) -> None:
    horizon.has(ALICE.public_key, {BOB.public_key: 1}, 1)
    muxed = MuxedAccount(ALICE.public_key, 5).account_muxed
    assert muxed
    assert claims_of(await log_in(wallets, muxed, BOB))["sub"] == muxed
    envelope = await challenge(wallets, muxed)
    assert (await status_of(wallets, signed(envelope, ALICE)))[0] == 401


@pytest.mark.parametrize(
    "broken",
    [
        (404, "<html>not found</html>"),
        (404, '{"detail":"Not Found"}'),
        (404, '{"type":"https://gateway.example/errors/not_found"}'),
        (404, "[]"),
        (429, '{"type":"https://stellar.org/horizon-errors/rate_limit_exceeded"}'),
        (500, ""),
        (302, ""),
        (200, "{}"),
        (200, json.dumps({"account_id": ALICE.public_key})),
        (200, json.dumps({"account_id": ALICE.public_key, "signers": [{}], "thresholds": {}})),
        (200, json.dumps({"account_id": BOB.public_key})),
    ],
)
async def test_only_horizons_own_404_means_that_an_account_does_not_exist(
    wallets: WebClient, horizon: Horizon, broken: tuple[int, str]
) -> None:
    envelope = signed(await challenge(wallets, ALICE.public_key), ALICE)
    horizon.broken = broken
    status, document = await status_of(wallets, envelope)
    assert (status, document["type"]) == (503, "/problems/unavailable")
    horizon.broken = None
    assert (await status_of(wallets, envelope))[0] == 200  # the challenge is still unused


async def test_a_horizon_of_another_network_is_not_used(
    wallets: WebClient, horizon: Horizon
) -> None:
    horizon.passphrase = "Public Global Stellar Network ; September 2015"
    envelope = signed(await challenge(wallets, ALICE.public_key), ALICE)
    assert (await status_of(wallets, envelope))[0] == 503
