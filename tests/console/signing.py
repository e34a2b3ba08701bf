"""The dialog in which a wallet signs a transaction, as a user works with it."""

from __future__ import annotations

from playwright.async_api import Locator, Page, expect

from deploy.simulator.chain import accounts

ALICE, BOB = accounts.address("alice"), accounts.address("bob")
ENDS = "Done: |has failed in ledger"
"""A regular expression for what the dialog says at the end. See `signed`."""
_TRIES = 4


def dialog(page: Page) -> Locator:
    """The dialog."""
    return page.locator("dialog.wide")


async def fill(page: Page, amount: str = "7200", hours: str = "1") -> None:
    """Ask in the view Streams for a new stream of alice, and prepare it."""
    await page.get_by_role("button", name="New stream on the chain").click()
    form = page.get_by_role("dialog")
    given = {"From": ALICE, "To": BOB, "Token": accounts.TOKEN, "Amount": amount, "Duration": hours}
    for label, text in given.items():
        await form.get_by_label(label, exact=True).fill(text)
    await form.get_by_role("button", name="Prepare").click()


async def signed(page: Page, wallet: str) -> str:
    """Sign what the dialog shows. Returns the hash of the transaction when its event is there.

    If the script of the network has created a stream meanwhile, the id of the new stream is not
    the one that was prepared, and the transaction fails. Then a user prepares it again.
    """
    sign = dialog(page).get_by_role("button", name=f"Sign with {wallet}")
    again = dialog(page).get_by_role("button", name="Prepare again")
    done = dialog(page).get_by_role("status").get_by_text("Done: ")
    for _ in range(_TRIES):
        await sign.click()
        await expect(done.or_(again)).to_be_visible(timeout=60_000)
        if await done.count():
            return str(await dialog(page).get_attribute("data-settled"))
        await expect(dialog(page).get_by_role("alert")).to_contain_text("has failed in ledger")
        await again.click()
    raise AssertionError(f"it failed {_TRIES} times")


async def close(page: Page) -> None:
    """Close the dialog."""
    await dialog(page).get_by_role("button", name="Close").click()
    await expect(dialog(page)).to_have_count(0)
