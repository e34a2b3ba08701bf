"""Amounts in a real Chromium: in tokens, in base units, in other languages, on a phone."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from stellar_sdk import Keypair

from deploy.simulator.chain import accounts
from shared.domain.stream import I128_MAX
from tests.console.browser import User, user
from tests.console.samples import DEPOSIT, ISSUER, NAMED, USDC, create, detail, near, step
from tests.support.installation import Installation
from tests.support.waiting import until

pytestmark = [
    pytest.mark.io,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(180),
    pytest.mark.usefixtures("known_tokens"),
]

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 780},
    "is_mobile": True,
    "has_touch": True,
}


async def test_amounts_are_in_tokens_and_the_raw_number_is_one_click_away(
    whole: Installation, someone: User
) -> None:
    made = await create(whole, token=USDC, deposit=DEPOSIT, rate="3000", ago=-3600)
    page = await someone.open(f"#/streams?search={made['id']}")
    total = page.locator(".stream .of")
    await expect(total).to_have_text(f"of 995.00 {NAMED}")
    assert await total.locator("data").get_attribute("value") == DEPOSIT
    assert await total.locator("data").get_attribute("title") == f"{DEPOSIT} base units"
    raw = page.get_by_role("button", name="Base units")
    await raw.focus()
    await page.keyboard.press("Enter")
    await expect(raw).to_have_attribute("aria-pressed", "true")
    await expect(total).to_have_text(f"of 9,950,000,000 base units {near(USDC)}")
    await page.goto(f"{someone.address}/#/streams/{made['id']}")
    await page.reload()
    await expect(detail(page, "Rate")).to_have_text("3,000 base units a second")
    await raw.click()
    await expect(detail(page, "Rate")).to_have_text("1.08 USDC an hour")
    await expect(detail(page, "Deposit")).to_have_text("995.00 USDC")
    await expect(page.locator(".timeline")).to_contain_text("995.00 USDC at 1.08 USDC an hour")
    await expect(page.locator(".hero .count")).to_have_text(f"0.00 {NAMED}")
    await expect(page.locator(".highest")).to_have_text("995.00 USDC")
    await expect(detail(page, "Token")).to_contain_text(f"of the issuer {ISSUER}, proved.")
    await page.goto(f"{someone.address}/#/live?streams={made['id']}")
    sentence = f"995.00 {NAMED} at 1.08 USDC an hour"
    await expect(page.locator(".event .facts")).to_have_text(sentence)
    assert someone.noise == []


async def test_a_running_amount_keeps_its_width(whole: Installation, browser: Browser) -> None:
    made = await create(whole, token=USDC, deposit=DEPOSIT, rate="11574", ago=1000)
    gateway = whole.url(whole.ports.gateway)
    async with user(browser, gateway, reduced_motion="no-preference") as someone:
        page = await someone.open(f"#/streams/{made['id']}")
        number = page.locator("#claimable")
        await expect(number).to_have_text(re.compile(r"^1\.\d{4}$"))
        seen: set[str] = set()

        async def runs() -> bool:
            seen.add(await number.inner_text())
            return len(seen) > 4

        await until(runs, what="an amount that runs")
        assert all(re.fullmatch(r"1\.\d{4}", each) for each in seen)
        paused = await step(whole, made["id"], "pause")
        amount = int(paused["claimable"]["amount"])
        exact = f"{amount / 10**7:.7f}".rstrip("0")
        await expect(number).to_have_text(exact)
        await expect(number).to_have_attribute("title", f"{amount} base units")


async def test_a_new_token_is_shown_as_soon_as_it_is_known(
    whole: Installation, someone: User
) -> None:
    """No stream has had this token before, so the indexer has not read it yet."""
    page = await someone.open("#/live")
    await page.wait_for_selector(".event")
    made = await create(whole, token=accounts.IMPOSTOR, deposit=DEPOSIT, rate="3000")
    event = page.locator(f'.event:has(a[href="#/streams/{made["id"]}"]) .facts')
    wanted = f"995.00 “USDC” {near(accounts.IMPOSTOR)} at 1.08 “USDC” an hour"
    await expect(event).to_have_text(wanted, timeout=60_000)


async def test_a_name_that_is_only_claimed_is_not_shown_as_proved(
    whole: Installation, someone: User
) -> None:
    made = await create(whole, token=accounts.IMPOSTOR, deposit=DEPOSIT)
    page = await someone.open(f"#/streams/{made['id']}")
    name = f"“USDC” {near(accounts.IMPOSTOR)}"
    await expect(page.locator(".hero .count .unit")).to_have_text(name, timeout=60_000)
    await expect(detail(page, "Token")).to_contain_text("This is not proved.")
    await expect(detail(page, "Token")).to_contain_text(accounts.IMPOSTOR)
    await expect(page.locator(".hero .count .unit")).to_have_attribute(
        "title", re.compile("not proved")
    )
    made = await create(whole, token=accounts.LUMENS, deposit=DEPOSIT)
    await page.goto(f"{someone.address}/#/streams/{made['id']}")
    await expect(page.locator(".hero .count .unit")).to_have_text("XLM")
    await expect(detail(page, "Token")).to_contain_text("native asset of the network, proved.")


@pytest.mark.parametrize("token", [accounts.HOSTILE, accounts.SILENT])
async def test_without_usable_decimals_amounts_are_in_base_units(
    whole: Installation, someone: User, token: str
) -> None:
    made = await create(whole, token=token, deposit=DEPOSIT)
    page = await someone.open(f"#/streams/{made['id']}")
    await expect(detail(page, "Deposit")).to_have_text("9,950,000,000 base units")
    await expect(page.locator(".hero .count .unit")).to_have_text(f"base units {near(token)}")
    await expect(page.get_by_label("Amount to add")).to_have_accessible_description(
        f"In base units {near(token)}."
    )
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", await page.locator("main").inner_text())
    assert someone.noise == []


OUTSIDE = """() => [...document.body.querySelectorAll("*")]
  .filter((each) => each.getBoundingClientRect().right > 391)
  .map((each) => each.outerHTML.slice(0, 120))"""
LARGEST = "17,014,118,346,046,923,173,168,730,371,588.4105727"


@pytest_asyncio.fixture(loop_scope="session", params=["tokens", "base units"])
async def phone(
    whole: Installation, browser: Browser, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[User, str]]:
    """A phone whose user has chosen the units, and the largest number in these."""
    async with user(browser, whole.url(whole.ports.gateway), **PHONE) as someone:
        page = await someone.open("#/streams")
        if request.param == "tokens":
            yield someone, LARGEST
        else:
            await page.get_by_role("button", name="Base units").tap()
            yield someone, f"{I128_MAX:,}"


async def test_the_largest_amount_fits_on_a_phone(
    whole: Installation, phone: tuple[User, str]
) -> None:
    someone, largest = phone
    account, most = Keypair.random().public_key, str(I128_MAX)
    made = await create(
        whole, token=USDC, deposit=most, rate=most, ago=100, recipient=account, label="most"
    )
    await step(whole, made["id"], "accept")
    views = {
        f"#/streams?search={made['id']}": [".stream .counter", ".stream .of"],
        f"#/streams/{made['id']}": ["#claimable", ".details", ".highest", ".timeline"],
        f"#/account/{account}": ['.totals [data-origin="api"]', ".stream .counter"],
        f"#/live?streams={made['id']}": [".event .facts >> nth=-1"],
        f"#/events/{made['position']}": [".details", "[data-field=depositedAmount]"],
        f"#/replay/{made['position']}": [".event .facts >> nth=-1"],
    }
    for view, places in views.items():
        page = await someone.open(view)
        for place in places:
            await expect(page.locator(place)).to_contain_text(largest)
        assert await page.evaluate(OUTSIDE) == [], view
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390, view
