"""The view of a webhook while it is deleted: nothing reads it then, because it is gone soon."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, expect

from shared.webhooks.attempts import AttemptStore
from tests.console.browser import User
from tests.console.requests import Held, all_are_known, methods_of
from tests.console.samples import webhook
from tests.support.installation import Installation

pytestmark = [pytest.mark.io, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

LATER = 60_000
"""Milliseconds in which the view reads the webhook several times."""
DOWN = {"detail": "Redis does not answer."}


async def ask_to_delete(page: Page) -> None:
    await page.get_by_role("button", name="Delete", exact=True).click()
    await page.get_by_role("button", name="Delete it").click()


async def test_it_is_not_read_while_it_is_deleted_and_again_if_that_fails(
    whole: Installation, attempts: AttemptStore, someone: User
) -> None:
    name = await webhook(whole, attempts)
    page = await someone.context.new_page()
    await page.clock.install()
    await page.goto(f"{someone.address}/#/webhooks/{name}")
    deletion = Held("DELETE", status=503, json=DOWN)
    await page.route(f"**/v1/webhooks/{name}", deletion)
    await ask_to_delete(page)
    await asyncio.wait_for(deletion.reached.wait(), 60)
    methods = methods_of(page)
    await page.clock.fast_forward(LATER)
    await all_are_known(page)
    assert methods == []
    async with page.expect_request(f"**/v1/webhooks/{name}"):
        deletion.released.set()
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_have_text(DOWN["detail"])
    async with page.expect_request(f"**/v1/webhooks/{name}"):
        await page.clock.fast_forward(LATER)


async def test_it_is_deleted_after_what_reads_it_has_ended(
    whole: Installation, attempts: AttemptStore, someone: User
) -> None:
    name = await webhook(whole, attempts)
    page = await someone.open(f"#/webhooks/{name}")
    await page.get_by_role("button", name="Delete", exact=True).wait_for()
    reads = Held("GET")
    await page.route(f"**/v1/webhooks/{name}/deliveries", reads)
    await asyncio.wait_for(reads.reached.wait(), 60)
    methods = methods_of(page)
    await ask_to_delete(page)
    await all_are_known(page)
    assert "DELETE" not in methods
    reads.released.set()
    await expect(page.get_by_role("heading", name="Webhooks", level=1)).to_be_focused()
    assert someone.noise == []
