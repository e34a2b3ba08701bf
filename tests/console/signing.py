"""The dialog in which a wallet signs a transaction, as a user works with it."""

from __future__ import annotations

from playwright.async_api import Locator, Page, expect

from deploy.simulator.chain import accounts

ALICE, BOB = accounts.address("alice"), accounts.address("bob")


def dialog(page: Page) -> Locator:
    """The dialog."""
    return page.locator("dialog.wide")


async def fill(page: Page, amount: str = "7200", hours: str = "1") -> None:
    """Ask in the view Streams for a new stream of alice, and prepare it."""
    await page.get_by_role("button", name="New on-chain stream").click()
    form = page.get_by_role("dialog")
    given = {"From": ALICE, "To": BOB, "Token": accounts.TOKEN, "Amount": amount, "Duration": hours}
    for label, text in given.items():
        await form.get_by_label(label, exact=True).fill(text)
    await form.get_by_role("button", name="Prepare").click()


async def signed(page: Page, wallet: str) -> str:
    """Sign what the dialog shows. Returns the hash of the transaction when its event is there."""
    await dialog(page).get_by_role("button", name=f"Sign with {wallet}").click()
    await expect(dialog(page).get_by_role("status")).to_contain_text("Done: ", timeout=60_000)
    return str(await dialog(page).get_attribute("data-settled"))


async def close(page: Page) -> None:
    """Close the dialog."""
    await dialog(page).get_by_role("button", name="Close").click()
    await expect(dialog(page)).to_have_count(0)
