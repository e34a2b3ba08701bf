"""The site: its navigation has every page, its links lead somewhere, and it needs no other host.

The last tests look at the site that `make docs` has built. CI builds it first.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from playwright.async_api import Browser, Page

from deploy.site import hooks
from tests.support.fenced import ROOT, outside

CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
PAGES = hooks.pages_of(ROOT / "docs")
SITE = ROOT / "build/site"
LINK = re.compile(r"\]\(([^)#\s]*)(#[^)]*)?\)")


def shown(page: str) -> str:
    """The text of a page as the site shows it, without its blocks."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found = hooks.on_page_markdown(text, SimpleNamespace(file=SimpleNamespace(src_uri=page)))
    return outside(found)


def files(entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        if isinstance(entry, dict):
            for inside in entry.values():
                yield from files([inside] if isinstance(inside, str) else inside)
        else:
            yield entry


def test_the_navigation_has_every_page_once() -> None:
    found = Counter(files(hooks.complete_navigation(CONFIG["nav"], PAGES)))
    assert set(found) == set(PAGES)
    assert max(found.values()) == 1


def test_a_new_page_appears_in_its_section() -> None:
    nav = [{"Home": "README.md"}, {"Clients": ["clients/b.md", "clients/*.md"]}]
    pages = ["README.md", "clients/a.md", "clients/b.md", "other/c.md"]
    completed = hooks.complete_navigation(nav, pages)
    assert completed == [{"Home": "README.md"}, {"Clients": ["clients/b.md", "clients/a.md"]}]


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_the_site_lead_to_its_pages(page: str) -> None:
    for target, _ in LINK.findall(shown(page)):
        if not re.match(r"[a-z]+:", target):
            path = (ROOT / "docs" / page).parent / target
            assert path.resolve().is_relative_to(ROOT / "docs"), target
            assert path.exists(), target


def test_a_link_out_of_the_pages_leads_to_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    page = SimpleNamespace(file=SimpleNamespace(src_uri="guides/x.md"))
    text = "[a](../api.md#x) [b](../../shared/y.py) [shared/y.py](../../shared/y.py)"
    kept = "[a](../api.md#x)"
    monkeypatch.delenv("REPOSITORY_URL", raising=False)
    assert hooks.on_page_markdown(text, page) == f"{kept} b (`shared/y.py`) `shared/y.py`"
    monkeypatch.setenv("REPOSITORY_URL", "https://host/r/")
    url = "https://host/r/blob/main/shared/y.py"
    assert hooks.on_page_markdown(text, page) == f"{kept} [b]({url}) [shared/y.py]({url})"


def test_the_page_of_settings_has_the_tables_of_the_readme() -> None:
    assert "| `REDIS_URL` | `redis://localhost:6379/0` |" in shown("settings.md")
    assert "](operations/proxies.md)" in shown("settings.md")
    assert "](settings.md)" in shown("settings.md")


def test_a_block_with_a_name_gets_a_title() -> None:
    assert hooks.titled_blocks("```sh start it\nx\n```") == '```sh title="start it"\nx\n```'
    assert hooks.titled_blocks("```sh\nx\n```") == "```sh\nx\n```"


def test_the_theme_loads_nothing_from_other_hosts() -> None:
    assert CONFIG["theme"]["font"] is False
    assert CONFIG["strict"] is True
    assert not {"extra_css", "extra_javascript"} & set(CONFIG)
    assert CONFIG["plugins"] == ["search"]


@pytest.fixture(scope="module")
def built() -> Path:
    """The folder of the site. Without it, the tests are skipped, or fail in CI."""
    if not (SITE / "index.html").exists():
        word = "build/site is missing: run `make docs`"
        pytest.fail(word) if os.environ.get("CI") == "true" else pytest.skip(word)
    return SITE


def test_each_page_was_built_and_names_no_file_of_another_host(built: Path) -> None:
    loaded = re.compile(r"<(?:script|img|iframe|source)[^>]* src=\"?(https?:|//)[^>]*>")
    styled = re.compile(r"<link[^>]* rel=\"?(?:stylesheet|preload|preconnect|icon)[^>]*>")
    for page in PAGES:
        name = re.sub(r"README\.md$", "index.md", page).replace(".md", ".html")
        assert (built / name).exists(), f"{name} is missing: run `make docs` again"
        text = (built / name).read_text(encoding="utf-8")
        assert not loaded.search(text), name
        assert not [link for link in styled.findall(text) if re.search(r"https?://|\"//", link)]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
async def served(built: Path) -> AsyncIterator[str]:
    """The address of a web server with the site."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(built)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.io
@pytest.mark.timeout(120)
@pytest.mark.asyncio(loop_scope="session")
async def test_a_browser_asks_no_other_host(served: str, browser: Browser, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in ("index.html", "tutorial.html", "operations/index.html", "settings.html"):
        await page.goto(f"{served}/{path}", wait_until="networkidle")
    await page.click("input[name=query]")
    await page.keyboard.type("idempotency")
    await page.wait_for_selector(".md-search-result__item a", state="attached")
    assert [url for url in asked if not url.startswith((served, "data:", "blob:"))] == []
