"""docs/tutorial.md: its commands, and its page in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, Route

from tests.docs.blocks import ADDRESS, Shell, typed
from tests.support.fenced import fenced
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]

PAGE = "docs/tutorial.md"
RUN, WATCH, LIST, MAKE = fenced(PAGE, "sh")
(FLOW,) = fenced(PAGE, "html")


async def opened(page: Page, folder: Path, address: str) -> None:
    """Save the page as a file and open the file, as the tutorial says."""
    file = folder / "flow.html"
    file.write_text(typed(FLOW, {ADDRESS: address}), encoding="utf-8")
    await page.goto(file.as_uri())


async def amounts(page: Page) -> dict[str, str]:
    """The text of each amount, by the id of the stream."""
    found: dict[str, str] = await page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('tr[data-id]')]"
        ".map((row) => [row.dataset.id, row.cells[2].textContent]))"
    )
    return found


def number_in(amount: str) -> float:
    """The number in an amount such as `12.5 USDC`."""
    return float(amount.split(maxsplit=1)[0])


async def test_the_commands_show_events_and_streams(shell: Shell) -> None:
    assert RUN.text == "make run\n"
    await shell.shows(WATCH.text.strip(), '"type":"connected"')
    listed = json.loads(await shell.done(LIST.text))
    assert listed["position"]
    assert all(stream["claimable"]["amount"].isdecimal() for stream in listed["items"])


async def test_money_flows_on_the_page(page: Page, shell: Shell, address: str) -> None:
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    await opened(page, shell.folder, address)
    await page.wait_for_function("document.getElementById('state').textContent === 'connected'")
    await until(lambda: amounts(page), what="streams")
    await page.wait_for_selector("#events li", timeout=60_000)
    assert re.fullmatch(r"stream\.\w+ of stream \S+", await page.inner_text("#events li >> nth=0"))
    made = json.loads(await shell.done(MAKE.text))

    async def grew() -> bool:
        """Whether the page counts: no event changes the amount of this stream."""
        return number_in((await amounts(page)).get(made["id"], "0")) > 0

    await until(grew, what="an amount that grows")
    assert wrong == []


async def test_the_page_loads_the_streams_again_after_a_reset(
    page: Page, shell: Shell, address: str
) -> None:
    loads: list[str] = []
    page.on("request", lambda r: loads.append(r.url) if "/v1/streams?" in r.url else None)

    async def reset(route: Route) -> None:
        await route.fulfill(content_type="text/event-stream", body="event: reset\ndata: {}\n\n")

    await page.route("**/subscribe*", reset, times=1)
    await opened(page, shell.folder, address)
    await until(lambda: len(loads) > 1, what="a second load")
    await page.wait_for_function("document.getElementById('state').textContent === 'connected'")
