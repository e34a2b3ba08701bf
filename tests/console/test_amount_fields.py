"""Fields for amounts in a real Chromium: people type tokens, the API gets base units."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, expect
from stellar_sdk import Keypair, StrKey

from tests.console.browser import User, user
from tests.console.samples import (
    DEPOSIT,
    NAMED,
    RECIPIENT,
    SENDER,
    USDC,
    create,
    detail,
    near,
)
from tests.support.installation import Installation

pytestmark = [
    pytest.mark.io,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(180),
    pytest.mark.usefixtures("known_tokens"),
]


async def test_people_type_amounts_in_tokens_and_the_api_gets_base_units(
    whole: Installation, someone: User
) -> None:
    page = await someone.open("#/streams")
    await page.get_by_role("button", name="New stream").click()
    dialog = page.get_by_role("dialog")
    await expect(page.get_by_label("Deposit")).to_be_disabled()
    fields = {"From": SENDER, "To": RECIPIENT, "Token": USDC}
    for name, value in fields.items():
        await page.get_by_label(name, exact=True).fill(value)
    await page.get_by_label("Rate a second").fill("0.0115741")
    await expect(dialog).to_contain_text(f"In {NAMED}. This is 41.66676 USDC an hour.")
    for wrong, words in {
        "12.12345678": "Deposit: The amount has 8 decimals. This token has 7.",
        "1,000": "Deposit: Write the amount without thousands separators, such as 1234.5.",
        "1e5": "Deposit: Write a number, such as 1234.5.",
    }.items():
        await page.get_by_label("Deposit").fill(wrong)
        await page.get_by_role("button", name="Create stream").click()
        await expect(dialog.get_by_role("alert")).to_have_text(words)
    await page.get_by_label("Deposit").fill("1000.5")
    await page.get_by_role("button", name="Create stream").click()
    await page.wait_for_selector(".one")
    stream_id = await page.locator(".one").get_attribute("data-id")
    await page.get_by_label("Amount to add").fill("0.0000001")
    await page.get_by_role("button", name="Top up").click()
    await expect(detail(page, "Deposit")).to_have_text("1,000.5000001 USDC")
    _, stream = await whole.get(whole.ports.gateway, f"/v1/streams/{stream_id}")
    assert (stream["ratePerSecond"], stream["depositedAmount"]) == ("115741", "10005000001")


async def test_an_amount_that_was_typed_in_another_unit_is_not_sent(
    whole: Installation, someone: User
) -> None:
    made = await create(whole, token=USDC, deposit=DEPOSIT)
    page = await someone.open(f"#/streams/{made['id']}")
    amount = page.get_by_label("Amount to add")
    await amount.fill("5")
    await page.get_by_role("button", name="Base units").click()
    await expect(amount).to_have_value("")
    await expect(page.get_by_text("The unit has changed: enter the amount again.")).to_be_visible()
    await amount.fill("5")
    await page.get_by_role("button", name="Top up").click()
    await expect(detail(page, "Deposit")).to_have_text("9,950,000,005 base units")


async def test_numbers_are_written_in_the_readers_language(
    whole: Installation, browser: Browser
) -> None:
    made = await create(whole, token=USDC, deposit="12345000000")
    async with user(browser, whole.url(whole.ports.gateway), locale="de-DE") as someone:
        page = await someone.open(f"#/streams/{made['id']}")
        await expect(detail(page, "Deposit")).to_have_text("1.234,50 USDC")
        await page.get_by_label("Amount to add").fill("1.000")
        await page.get_by_role("button", name="Top up").click()
        alert = page.locator(".bad", has_text="Amount to add")
        await expect(alert).to_contain_text("without thousands separators, such as 1234,5.")
        await page.get_by_label("Amount to add").fill("0,5")
        await page.get_by_role("button", name="Top up").click()
        await expect(detail(page, "Deposit")).to_have_text("1.235,00 USDC")


async def test_any_contract_may_be_named_as_token(whole: Installation, someone: User) -> None:
    """The API knows no token of this address: the amounts are in base units."""
    page = await someone.open("#/streams")
    await page.get_by_role("button", name="New stream").click()
    stranger = StrKey.encode_contract(Keypair.random().raw_public_key())
    await page.get_by_label("Token", exact=True).fill(stranger)
    await expect(page.get_by_label("Deposit")).to_be_enabled()
    await expect(page.get_by_label("Deposit")).to_have_accessible_description(
        f"In base units {near(stranger)}."
    )


async def test_a_field_accepts_nothing_while_the_token_cannot_be_read(someone: User) -> None:
    """Else people could type tokens, and the API would get base units."""
    page = await someone.context.new_page()
    await page.route("**/v1/tokens/*", lambda route: route.abort())
    await page.goto(f"{someone.address}/#/streams")
    await page.get_by_role("button", name="New stream").click()
    stranger = StrKey.encode_contract(Keypair.random().raw_public_key())
    await page.get_by_label("Token", exact=True).fill(stranger)
    deposit = page.get_by_label("Deposit")
    await expect(deposit).to_have_accessible_description(
        re.compile("The decimals of this token could not be read: ")
    )
    await expect(deposit).to_be_disabled()
    await page.unroute("**/v1/tokens/*")
    await expect(deposit).to_be_enabled(timeout=40_000)


async def test_the_field_shows_the_decimal_sign_of_the_language(
    whole: Installation, browser: Browser
) -> None:
    made = await create(whole, token=USDC, deposit="12345000000")
    async with user(browser, whole.url(whole.ports.gateway), locale="de-AT") as someone:
        page = await someone.open(f"#/streams/{made['id']}")
        amount = page.get_by_label("Amount to add")
        await expect(amount).to_have_attribute("placeholder", "1234,5")
        await amount.fill("1.000")
        await page.get_by_role("button", name="Top up").click()
        alert = page.locator(".bad", has_text="Amount to add")
        await expect(alert).to_have_text('Amount to add: Write the decimals with ",": 12,5.')
