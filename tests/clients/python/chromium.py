"""Chromium in a page of another origin, with its EventSource or with fetch-event-source."""

from __future__ import annotations

import asyncio
import json
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote

from driver import NAMES, URL, report
from playwright.async_api import async_playwright

LIBRARY = sys.argv[3]
FOLDER = Path(__file__).parents[1]
FETCH = FOLDER / "node_modules/@microsoft/fetch-event-source/lib/esm"
QUIET = ["--disable-background-networking", "--disable-component-update", "--no-first-run"]


class Pages(SimpleHTTPRequestHandler):
    """Serves the page, and a library whose imports lack the `.js` ending."""

    def translate_path(self, path: str) -> str:
        if not path.startswith("/library/"):
            return str(FOLDER / "node/page.html")
        return str((FETCH / Path(path).name).with_suffix(".js"))

    def log_message(self, *_: object) -> None:
        pass


async def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Pages, directory=str(FOLDER)))
    Thread(target=server.serve_forever, daemon=True).start()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", *QUIET],
        )
        page = await browser.new_page()
        page.on("pageerror", lambda error: print(error, file=sys.stderr, flush=True))
        await page.expose_function("report", report)
        asked = quote(json.dumps([LIBRARY, URL, NAMES]))
        await page.goto(f"http://127.0.0.1:{server.server_port}/#{asked}")
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
        await browser.close()


asyncio.run(main())
