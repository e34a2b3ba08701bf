"""docs/guides/subscribe-with-a-login.md, with an installation in AUTH_MODE=required."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page

from tests.docs.blocks import Shell, typed
from tests.support.fenced import ROOT, fenced
from tests.support.installation import Installation, installation
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]

PAGE = "docs/guides/subscribe-with-a-login.md"
RUN, TOKEN, SUBSCRIBE = fenced(PAGE, "sh")
(SCRIPT,) = fenced(PAGE, "js")
SECRET, START = RUN.text.splitlines()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def closed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """What the first block of the page starts."""
    assert START == "AUTH_MODE=required make run"
    assert SECRET.startswith("export JWT_SECRET=")
    settings = {"AUTH_MODE": "required", "JWT_SECRET": SECRET.partition("=")[2]}
    folder = tmp_path_factory.mktemp("closed")
    async with installation(folder, CLOSE_SECONDS="0.5", **settings) as closed:
        yield closed


def token_commands() -> str:
    python = f"PYTHONPATH={ROOT} {sys.executable}"
    return typed(TOKEN, {".venv/bin/python": python})


async def test_a_token_opens_what_is_closed_without(closed: Installation, tmp_path: Path) -> None:
    shell = Shell(tmp_path, closed.ports.gateway)
    curl = SUBSCRIBE.text.replace("curl -N", "curl -sSN -w '%{stderr}%{http_code}' --max-time 2")
    answers = {
        "connected": curl,
        "401": curl.replace("$TOKEN", "none"),
        "403": curl.replace("users=$ACCOUNT", "all=true"),
    }
    for expected, command in answers.items():
        output = await shell.run(token_commands() + command)
        assert expected in output.text + output.errors, (command, output)


async def test_a_page_connects_with_a_ticket(
    closed: Installation, page: Page, tmp_path: Path
) -> None:
    shell = Shell(tmp_path, closed.ports.gateway)
    token = (await shell.done(token_commands() + 'echo "$TOKEN"')).strip()
    account = re.search(r"ACCOUNT=(\w+)", TOKEN.text)
    assert account
    printed: list[str] = []
    page.on("console", lambda message: printed.append(message.text))
    yours = f"http://localhost:{closed.ports.gateway}/yours.html"
    await page.route(yours, lambda route: route.fulfill(content_type="text/html", body=""))
    await page.goto(yours)
    await page.evaluate(f"window.account = '{account[1]}'; window.token = '{token}'")
    await page.add_script_tag(content=SCRIPT.text, type="module")
    await until(lambda: "connected" in printed, seconds=60, what="connected")
    await until(lambda: any(map(str.isdecimal, printed)), seconds=60, what="a withdrawal")
