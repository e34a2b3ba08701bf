"""The history without a filter: that of the token's own account, as in a subscription."""

from __future__ import annotations

import pytest
from stellar_sdk import Keypair

from tests.api.auth.samples import ALICE, BOB, CAROL, bearer, token_of, writer
from tests.api.samples import order
from tests.support.web_client import WebClient


@pytest.mark.parametrize(("party", "count"), [(ALICE, 1), (BOB, 1), (CAROL, 0)])
async def test_the_history_without_a_filter_is_that_of_the_token(
    secure: WebClient, party: Keypair, count: int
) -> None:
    body = order(sender=ALICE.public_key, recipient=BOB.public_key)
    assert (await secure.post("/v1/streams", json=body, headers=writer(ALICE))).status == 201
    page = await (await secure.get("/v1/events", headers=writer(party))).json()
    assert [event["type"] for event in page["items"]] == ["stream.created"] * count


async def test_an_account_with_a_memo_must_name_a_filter(secure: WebClient) -> None:
    answer = await secure.get("/v1/events", headers=bearer(token_of(f"{ALICE.public_key}:7")))
    assert answer.status == 422
