"""A web server for pages that use the package, to which its clients report what they received."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

FOLDER = Path(__file__).parent / "pages"
_KINDS = {".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript"}
_HEADERS = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}


class Reports:
    """What one client has reported: its events, the states of its connection, and more."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.states: list[str] = []
        self.reloads: list[str] = []
        self.errors: list[str] = []
        self.facts: dict[str, Any] = {}

    def add(self, report: dict[str, Any]) -> None:
        """Add a report. Its keys are names of the lists above; others are facts."""
        for name, value in report.items():
            if isinstance(into := getattr(self, name, None), list):
                into.append(value)
            else:
                self.facts[name] = value


class PageServer:
    """Serves the pages of this folder and of a project, at `url`."""

    def __init__(self, project: Path) -> None:
        self.url = ""
        self.by_client: dict[str, Reports] = defaultdict(Reports)
        self._folders = (FOLDER, project)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """A file, or the receipt of a report."""
        if request.method == "POST":
            for report in json.loads(await request.text()):
                self.by_client[request.path.rpartition("/")[2]].add(report)
            return web.Response(headers=_HEADERS)
        for folder in self._folders:
            path = folder / request.path.lstrip("/")
            if path.is_file():
                kind = _KINDS.get(path.suffix, "text/plain")
                body = path.read_bytes()
                return web.Response(body=body, content_type=kind, charset="utf-8", headers=_HEADERS)
        return web.Response(status=404, headers=_HEADERS)


@asynccontextmanager
async def page_server(project: Path) -> AsyncIterator[PageServer]:
    """Start the server on a free port of 127.0.0.1, which is a secure context for browsers."""
    server = PageServer(project)
    runner = web.ServerRunner(web.Server(server.answer))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        server.url = f"http://{host}:{port}"
        yield server
    finally:
        await runner.cleanup()
