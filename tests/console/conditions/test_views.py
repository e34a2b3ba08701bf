"""Every view in every condition: no fault of accessibility, nothing too wide, no uncaught error."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from stellar_sdk import Keypair

from shared.journal.commit import Committer
from shared.webhooks.attempts import AttemptStore
from tests.console.accessibility import problems
from tests.console.browser import User, user
from tests.console.crowd import LABELS, NAME, crowd
from tests.console.samples import SENDER, redeliver, subscribed, webhook
from tests.console.views import DIALOGS, VIEWS, modules_with_dialogs, routes, show, tour
from tests.support.installation import Installation
from tests.support.tier import some_in_test
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


@dataclass(frozen=True, slots=True)
class Condition:
    """What the reader's browser is like, and whether the API has stopped."""

    is_narrow: bool
    is_dark: bool
    is_calm: bool
    is_denied: bool
    is_stopped: bool


CONDITIONS = [
    Condition(*(sign == "x" for sign in row))
    for row in ("x....", ".x.xx", "x.xx.", "..x.x", "xxx.x", ".xxx.")
]
"""Six of the 32 combinations. Each value of a condition meets each value of every other one. Motion
takes most of a core, so only two rows have it. The first three have each value once; the others run
in `make nightly`.

That is enough, because each rule that can break depends on at most two of them: a colour on theme
and state, a width on the window and what is shown. The data is no condition: every view shows the
hard data always. tests/system/test_sandbox.py and test_login.py look at what is not here.
"""

IN_TEST = 3
DENIED = """for (const kind of ["localStorage", "sessionStorage", "indexedDB"]) {
  const get = () => { throw new DOMException("denied", "SecurityError"); };
  Object.defineProperty(window, kind, { get });
}"""


async def test_the_conditions_cover_each_pair() -> None:
    rows = [[getattr(each, field.name) for field in fields(each)] for each in CONDITIONS]
    for one, other in itertools.combinations(range(len(rows[0])), 2):
        assert len({(row[one], row[other]) for row in rows}) == 4
    assert all({True, False} == set(values) for values in zip(*rows[:IN_TEST], strict=True))


async def test_no_view_and_no_dialog_is_forgotten() -> None:
    assert {view.route for view in VIEWS.values()} == routes()
    assert {dialog.module for dialog in DIALOGS} == modules_with_dialogs()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def data(
    whole: Installation, committer: Committer, attempts: AttemptStore
) -> AsyncIterator[dict[str, Any]]:
    """The hard data, while two clients with long subscriptions are connected."""
    many = f"users={SENDER}&streams={','.join(str(n) for n in range(100, 140))}"
    async with subscribed(whole, many, "streams=7&types=stream.created,stream.rate_modified"):
        made = {"webhook": await webhook(whole, attempts, description=LABELS["override"])}
        await redeliver(whole, made["webhook"])
        await webhook(whole, attempts, url=f"https://shop.example/{'x' * 2000}", enabled=False)
        yield made | await crowd(whole, committer, Keypair.random().public_key)


@asynccontextmanager
async def reader(
    whole: Installation, browser: Browser, condition: Condition, account: str, name: str = NAME
) -> AsyncIterator[User]:
    """A user in this condition, who has a name for the account."""
    look: dict[str, Any] = {
        "viewport": {"width": 390 if condition.is_narrow else 1440, "height": 844},
        "color_scheme": "dark" if condition.is_dark else "light",
        "reduced_motion": "reduce" if condition.is_calm else "no-preference",
    }
    names = json.dumps(json.dumps({account: name}))
    named = f"localStorage.setItem('headrace names', {names})"
    async with user(browser, whole.url(whole.ports.gateway), **look) as someone:
        await someone.context.add_init_script(DENIED if condition.is_denied else named)
        yield someone


@asynccontextmanager
async def stopped(whole: Installation) -> AsyncIterator[None]:
    """The API has ended, and is started again."""
    whole.kill("api")
    try:
        yield
    finally:
        whole.start("api")
        await until(lambda: whole.ready(whole.ports.gateway), seconds=60, what="the API")


def words(condition: Condition) -> str:
    """The name of a case, such as `narrow-dark`."""
    held = [each.name.split("_")[1] for each in fields(condition) if getattr(condition, each.name)]
    return "-".join(held) or "plain"


@pytest.mark.parametrize("condition", some_in_test(CONDITIONS, IN_TEST), ids=words)
async def test_each_view_and_dialog_is_sound(
    whole: Installation, browser: Browser, axe: str, data: dict[str, Any], condition: Condition
) -> None:
    check = with_a_stopped_api if condition.is_stopped else with_content
    async with reader(whole, browser, condition, data["account"]) as someone:
        found = await check(whole, someone, axe, data)
        assert {name: told for name, told in found.items() if told} == {}
        assert [told for told in someone.noise if "Failed to load resource" not in told] == []
        assert someone.hosts == {f"127.0.0.1:{whole.ports.gateway}"}


async def with_content(
    whole: Installation, someone: User, axe: str, data: dict[str, Any]
) -> dict[str, list[str]]:
    found = {}
    async for name, page in tour(someone, data):
        found[name] = await problems(page, axe)
        for dialog in DIALOGS:
            if dialog.view == name:
                await page.get_by_role("button", name=dialog.button).first.click()
                await page.get_by_role("dialog").wait_for()
                found[dialog.module] = await problems(page, axe)
                await page.keyboard.press("Escape")
                await expect(page.get_by_role("dialog")).to_have_count(0)
    return found


async def with_a_stopped_api(
    whole: Installation, someone: User, axe: str, data: dict[str, Any]
) -> dict[str, list[str]]:
    """The page was loaded before. Each view says what is wrong, and offers to try again."""
    found = {}
    page = [page async for _, page in tour(someone, data)][-1]
    async with stopped(whole):
        for name, view in VIEWS.items():
            if view.asks:
                await page.goto(f"{someone.address}/{view.address.format(**data)}")
                alert = page.locator("main").get_by_role("alert")
                await expect(alert.get_by_role("button", name="Try again")).to_be_visible()
                found[name] = await problems(page, axe)
    await show(someone, page, VIEWS["event"], data)
    return found


async def test_a_module_that_cannot_be_loaded_is_an_error_that_can_be_tried_again(
    whole: Installation, someone: User
) -> None:
    """The page has loaded neither the module of the dialog nor that of the next view."""
    page = await someone.open("#/streams")
    await page.wait_for_selector(".stream")
    alert = page.locator("main").get_by_role("alert")
    async with stopped(whole):
        await page.get_by_role("button", name="New stream").click()
        await expect(alert).to_contain_text("The API does not answer")
        await page.get_by_role("link", name="System").click()
        await expect(page.get_by_role("heading", name="Not loaded")).to_be_focused()
        await expect(alert).to_contain_text("The API does not answer")
    await alert.get_by_role("button", name="Try again").press("Enter")
    await page.wait_for_selector(VIEWS["system"].sign)
    await expect(page.get_by_role("heading", name="System", level=1)).to_be_focused()
    assert [told for told in someone.noise if "Failed to load resource" not in told] == []


IS_FORWARD = """each => {
  const range = document.createRange();
  const left = (at) => {
    range.setStart(each.firstChild, at);
    range.setEnd(each.firstChild, at + 1);
    return range.getBoundingClientRect().left;
  };
  return left(0) < left(each.firstChild.length - 1);
}"""
IN_ROW = "([one, other]) => one.getBoundingClientRect().left < other.getBoundingClientRect().left"


async def test_directions_in_the_text_of_a_stranger_change_nothing_beside_it(
    whole: Installation, browser: Browser, data: dict[str, Any]
) -> None:
    """Without isolation, the id after a label would be turned round, and two names would swap."""
    wide, name = CONDITIONS[3], "\u202eAda"  # short, so that both names are in one line
    async with reader(whole, browser, wide, data["account"], name) as someone:
        page = await someone.open(VIEWS["event"].address.format(**data))
        code = page.locator(f'.details a[href="#/streams/{data["id"]}"] + code')
        assert await code.evaluate(IS_FORWARD)
        page = await someone.open("#/streams?search=700001")
        parties = page.locator(".stream .party")
        await expect(parties).to_have_count(2)
        assert await parties.evaluate_all(IN_ROW), "from the sender to the recipient"
