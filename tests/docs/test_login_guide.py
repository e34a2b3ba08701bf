"""docs/guides/subscribe-with-a-login.md, with an installation in AUTH_MODE=required."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Page

from deploy.simulator.chain import accounts
from tests.docs.blocks import ADDRESS, Shell, typed
from tests.support.fenced import ROOT, fenced
from tests.support.installation import Installation, installation
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]

PAGE = "docs/guides/subscribe-with-a-login.md"
RUN, TOKEN, SUBSCRIBE, SHOW, SERVE, MAKE = fenced(PAGE, "sh")
(SCRIPT,) = fenced(PAGE, "js")
(MY_PAGE,) = fenced("README.md", "html")
PAUSE = fenced("README.md", "sh")[5]
BEARER = ' -fsS -H "Authorization: Bearer $TOKEN"'
SECRET, START = RUN.text.splitlines()
ACCOUNT = re.findall(r"ACCOUNT=(\w+)", TOKEN.text)[0]
ORIGIN = "http://localhost:8000"
"""Where the guide serves `my.html`. The test takes a free port."""


@dataclass(frozen=True)
class Site:
    """A web server that serves a folder."""

    folder: Path
    origin: str


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Serves a folder with `my.html`, as the command of the guide does."""
    assert SERVE.text == f"python3 -m http.server {ORIGIN.rpartition(':')[2]} --bind localhost\n"
    folder = tmp_path_factory.mktemp("site")
    app = web.Application()
    app.router.add_static("/", folder)
    async with TestServer(app) as server:
        yield Site(folder, f"http://localhost:{server.port}")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def closed(
    site: Site, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """What the first block of the page starts."""
    assert f"AUTH_MODE=required CORS_ORIGINS={ORIGIN} make run" == START
    assert SECRET.startswith("export JWT_SECRET=")
    settings = {"AUTH_MODE": "required", "JWT_SECRET": SECRET.partition("=")[2]}
    folder = tmp_path_factory.mktemp("closed")
    with pytest.MonkeyPatch.context() as environment:  # the gateway reads it here
        for name, value in {**settings, "CORS_ORIGINS": site.origin}.items():
            environment.setenv(name, value)
        async with installation(folder, CLOSE_SECONDS="0.5", RETRY_MS="300") as closed:
            yield closed


def token_commands(account: str = ACCOUNT) -> str:
    python = f"PYTHONPATH={ROOT} {sys.executable}"
    return typed(TOKEN, {".venv/bin/python": python, ACCOUNT: account})


async def token_of(shell: Shell, account: str = ACCOUNT) -> str:
    return (await shell.done(token_commands(account) + SHOW.text)).strip()


async def served(page: Page, site: Site, body: str) -> list[str]:
    """Save `my.html` and open it. Returns what it prints."""
    printed: list[str] = []
    page.on("console", lambda message: printed.append(message.text))
    (site.folder / "my.html").write_text(body, encoding="utf-8")
    await page.goto(f"{site.origin}/my.html")
    return printed


async def test_a_token_opens_what_is_closed_without(closed: Installation, tmp_path: Path) -> None:
    shell = Shell(tmp_path, closed.ports.gateway)
    curl = SUBSCRIBE.text.replace("curl -N", "curl -sSN -w '%{stderr}%{http_code}' --max-time 2")
    answers = {
        "connected": curl,
        "401": curl.replace("$TOKEN", "none"),
        "403": curl.replace("users=$ACCOUNT", "all=true"),
    }

    async def answered(expected: str, command: str) -> bool:
        output = await shell.run(token_commands() + command)
        return expected in output.text + output.errors

    for expected, command in answers.items():
        await until(partial(answered, expected, command), seconds=60, what=f"{expected}: {command}")


async def test_your_page_shows_your_stream(
    closed: Installation, site: Site, page: Page, tmp_path: Path
) -> None:
    shell = Shell(tmp_path, closed.ports.gateway)
    words = {
        ADDRESS: f"localhost:{closed.ports.gateway}",
        'token = ""': f'token = "{await token_of(shell)}"',
    }
    printed = await served(page, site, typed(MY_PAGE, words))
    await page.wait_for_selector("text=live")
    await shell.done(token_commands() + MAKE.text)
    await page.wait_for_selector("li:has-text('active')")
    for fanout in ("fanout-1", "fanout-2"):
        closed.kill(fanout)
        closed.start(fanout)
    made = await page.get_attribute("li", "id")
    await shell.done(token_commands() + typed(PAUSE, {"ID": str(made)}).strip() + BEARER)
    await page.wait_for_selector("li:has-text('paused')", timeout=60_000)
    assert not [line for line in printed if "CORS" in line]


async def test_an_event_source_connects_with_a_ticket(
    closed: Installation, site: Site, page: Page, tmp_path: Path
) -> None:
    shell = Shell(tmp_path, closed.ports.gateway)
    account = accounts.address("alice")
    token = await token_of(shell, account)
    printed = await served(page, site, "")
    await page.evaluate(f"window.account = '{account}'; window.token = '{token}'")
    script = typed(SCRIPT, {ADDRESS: f"localhost:{closed.ports.gateway}"})
    await page.add_script_tag(content=script, type="module")
    await until(lambda: "connected" in printed, seconds=60, what=lambda: str(printed))
    await until(lambda: any(map(str.isdecimal, printed)), seconds=60, what="a withdrawal")
