"""The sums of an account with more streams than the API adds up for one request."""

from __future__ import annotations

import time

import pytest
from playwright.async_api import expect
from stellar_sdk import Keypair

from shared.journal.commit import Committer
from tests.console.browser import User
from tests.console.crowd import chain_stream, flood, read_event
from tests.console.samples import USDC, create, step
from tests.support.installation import Installation

pytestmark = [
    pytest.mark.io,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("known_tokens"),
]

STREAMS = 2300  # a page of the summary has at most 2000, and about 1 MB
DEPOSIT = 10**12 // 10**7  # in USDC: each stream of `chain_stream` has 10^12 base units


async def test_the_sums_are_of_all_streams(
    whole: Installation, committer: Committer, someone: User
) -> None:
    account, now = Keypair.random().public_key, int(time.time())
    # The oldest stream is the last one that the API adds up.
    streams = [chain_stream(700_000 + n, now - STREAMS + n, account) for n in range(STREAMS)]
    await flood(committer, streams, read_event)
    agreement = await create(whole, token=USDC, recipient=account, deposit="50000000")
    await step(whole, agreement["id"], "accept")
    path = f"/v1/users/{account}/summary?limit=2000"
    _, first = await whole.get(whole.ports.gateway, path)
    assert first["next"], "more than one page"
    page = await someone.open(f"#/account/{account}")
    chain = page.locator('.totals [data-origin="chain"]')
    wanted = f"{STREAMS} incoming and {STREAMS} outgoing streams; {2 * STREAMS} of them are active."
    await expect(chain).to_contain_text(wanted, timeout=60_000)
    sent = chain.locator(".side", has=page.get_by_role("heading", name="Sent"))
    await expect(sent).to_contain_text(f"{STREAMS * DEPOSIT:,}.00 USDC")
    origins = page.locator(".totals [data-origin]")
    assert await origins.evaluate_all("all => all.map((each) => each.dataset.origin)") == [
        "chain",
        "api",
    ]
    await expect(origins.last).to_contain_text("5.00 USDC")
    assert someone.noise == []
