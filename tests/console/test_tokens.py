"""Amounts in a real Chromium: in tokens, in base units, in other languages, on a phone."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from stellar_sdk import Keypair, StrKey

from deploy.simulator.chain import accounts
from shared.domain.stream import I128_MAX
from tests.console.browser import User, user
from tests.console.samples import RECIPIENT, SENDER, create, step
from tests.support.installation import Installation
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

USDC = accounts.TOKEN
ISSUER = accounts.address(accounts.ADMIN)
NAMED = f"USDC ({ISSUER[:4]}…{ISSUER[-4:]})"
DEPOSIT = "9950000000"
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 780},
    "is_mobile": True,
    "has_touch": True,
}


def near(address: str) -> str:
    return f"({address[:4]}…{address[-4:]})"


def row(page: Page, stream_id: str) -> Any:
    return page.locator(f'.stream[data-id="{stream_id}"]')


def detail(page: Page, name: str) -> Any:
    """The value of a line of a stream's details."""
    return page.locator(f'.details dt:text-is("{name}") + dd')


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def known(whole: Installation) -> None:
    """Streams of each token, so that the indexer reads the tokens."""
    for token in (USDC, accounts.LUMENS, accounts.IMPOSTOR, accounts.HOSTILE, accounts.SILENT):
        await create(whole, token=token)
    for token in (USDC, accounts.LUMENS, accounts.IMPOSTOR):

        async def read(token: str = token) -> bool:
            _, found = await whole.get(whole.ports.gateway, f"/v1/tokens/{token}")
            return found.get("decimals") is not None

        await until(read, seconds=60, what="a token that was read")


async def test_amounts_are_in_tokens_and_the_raw_number_is_one_click_away(
    whole: Installation, someone: User
) -> None:
    made = await create(whole, token=USDC, deposit=DEPOSIT, rate="3000", ago=-3600)
    page = await someone.open(f"#/streams?search={made['id']}")
    total = row(page, made["id"]).locator(".of")
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
    made = await create(whole, token=USDC, deposit=DEPOSIT, rate="115741", ago=100)
    gateway = whole.url(whole.ports.gateway)
    async with user(browser, gateway, reduced_motion="no-preference") as someone:
        page = await someone.open(f"#/streams/{made['id']}")
        number = page.locator("#claimable")
        await expect(number).to_have_text(re.compile(r"^1\.\d{3}$"))
        seen: set[str] = set()

        async def runs() -> bool:
            seen.add(await number.inner_text())
            return len(seen) > 4

        await until(runs, what="an amount that runs")
        assert all(re.fullmatch(r"1\.\d{3}", each) for each in seen)
        paused = await step(whole, made["id"], "pause")
        amount = int(paused["claimable"]["amount"])
        exact = f"{amount / 10**7:.7f}".rstrip("0")
        await expect(number).to_have_text(exact)
        await expect(number).to_have_attribute("title", f"{amount} base units")


async def test_a_name_that_is_only_claimed_is_not_shown_as_proved(
    whole: Installation, someone: User
) -> None:
    made = await create(whole, token=accounts.IMPOSTOR, deposit=DEPOSIT)
    page = await someone.open(f"#/streams/{made['id']}")
    name = f"“USDC” {near(accounts.IMPOSTOR)}"
    await expect(page.locator(".hero .count .unit")).to_have_text(name)
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


async def test_a_new_token_is_shown_as_soon_as_it_is_known(
    whole: Installation, someone: User
) -> None:
    page = await someone.open("#/live")
    await page.wait_for_selector(".event")
    made = await create(whole, token=accounts.GOLD, deposit="12345")
    event = page.locator(f'.event:has(a[href="#/streams/{made["id"]}"]) .facts')
    wanted = f"123.45 “GOLD” {near(accounts.GOLD)} at 396.00 “GOLD” an hour"
    await expect(event).to_have_text(wanted, timeout=60_000)


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
    }
    for view, places in views.items():
        page = await someone.open(view)
        for place in places:
            await expect(page.locator(place)).to_contain_text(largest)
        assert await page.evaluate(OUTSIDE) == [], view
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390, view


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
