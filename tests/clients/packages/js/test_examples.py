"""The examples of the README work as they are: in Node, in a page, and in React."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.clients.packages.js.archive import README, bundle
from tests.clients.packages.js.page_server import PageServer
from tests.console.samples import SENDER, create
from tests.support.fenced import fenced
from tests.support.installation import Installation
from tests.support.programs import needed

pytestmark = [pytest.mark.io, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

SERVER = "http://localhost:3001"
"""The server of the examples."""


async def test_the_example_for_node_prints_events(whole: Installation, project: Path) -> None:
    example = fenced(README, "js")[0].text
    assert SERVER in example
    script = project / "events.mjs"
    script.write_text(example.replace(SERVER, whole.url(whole.ports.gateway)))
    process = await asyncio.create_subprocess_exec(
        needed("node"), script.name, cwd=project, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        async with asyncio.timeout(60):
            line = (await process.stdout.readline()).decode()
    finally:
        process.kill()
        await process.wait()
    assert re.fullmatch(r"(stream|contract)\.[a-z_]+ (\d+|null|api-\S+)\n", line)


async def test_the_example_for_a_page_shows_streams(
    whole: Installation, pages: PageServer, project: Path, browser: Browser
) -> None:
    (block,) = fenced(README, "html")
    example = block.text
    assert example.count(SERVER) == 2
    (project / "page.html").write_text(example.replace(SERVER, whole.url(whole.ports.gateway)))
    page = await browser.new_page()
    try:
        await page.goto(f"{pages.url}/page.html")
        await page.locator("li").first.wait_for()
        made = await create(whole)
        await expect(page.locator("li", has_text=made["id"])).to_have_count(1)
    finally:
        await page.close()


async def test_the_example_for_react_shows_the_streams_of_an_account(
    whole: Installation, pages: PageServer, project: Path, browser: Browser
) -> None:
    (block,) = fenced(README, "jsx")
    example = block.text
    component = project / "streams.jsx"
    component.write_text(example.replace(SERVER, whole.url(whole.ports.gateway)))
    main = project / "example.jsx"
    main.write_text(
        'import { createRoot } from "react-dom/client";\n'
        'import { Streams } from "./streams.jsx";\n'
        f'createRoot(document.body).render(<Streams account="{SENDER}" />);\n'
    )
    script = bundle(project, main, "--jsx=automatic")
    (project / "example.html").write_text(f'<body></body><script src="{script.name}"></script>')
    page = await browser.new_page()
    try:
        await page.goto(f"{pages.url}/example.html")
        await expect(page.locator("p")).to_contain_text("live")
        made = await create(whole)
        await expect(page.locator("li", has_text=made["id"])).to_have_text(f"{made['id']}: active")
    finally:
        await page.close()
