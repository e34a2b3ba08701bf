"""The examples of clients/javascript.md in a real browser, in a page of the gateway."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page

from tests.docs.blocks import ADDRESS, typed
from tests.support.fenced import fenced
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]

_EVENT = re.compile(r"stream\.\w+ \d+$")
SUBSCRIPTION, SNAPSHOT = fenced("docs/clients/javascript.md", "js")


def streams(logged: list[str]) -> list[str]:
    """What the second example has printed: streams, as objects."""
    return [line for line in logged if line.startswith("{")]


async def test_the_examples_load_streams_and_get_their_events(page: Page, address: str) -> None:
    wrong: list[str] = []
    logged: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: logged.append(message.text))
    yours = f"http://{address}/yours.html"
    await page.route(yours, lambda route: route.fulfill(content_type="text/html", body=""))
    await page.goto(yours)
    words = {'"headrace"': '"/console/headrace/headrace.js"', ADDRESS: address}
    for example in (SUBSCRIPTION, SNAPSHOT):
        await page.add_script_tag(content=typed(example, words), type="module")
    await until(lambda: streams(logged), seconds=60, what="a stream of the account")
    loaded = len(streams(logged))
    await until(lambda: len(streams(logged)) > loaded, seconds=60, what="a later state of one")
    await until(lambda: any(map(_EVENT.match, logged)), seconds=60, what="an event")
    assert wrong == []
