"""What a page must keep to in every view: axe-core finds no fault, and nothing is too wide."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.support.programs import needed_package

FAULTS = "async () => (await axe.run({ resultTypes: ['violations'] })).violations"


@pytest.fixture(scope="package")
def axe() -> str:
    return (needed_package("axe-core") / "axe.min.js").read_text(encoding="utf-8")


async def faults(page: Page, axe: str) -> list[str]:
    """The findings of axe-core, run by the debugger because the page's policy forbids it."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(axe)
    found = await page.evaluate(FAULTS)
    return [f"{v['id']}: {v['help']}: {v['nodes'][0]['html'][:200]}" for v in found]


TOO_WIDE = """width => {
  const overflow = (node) => getComputedStyle(node).overflowX;
  const scrolls = (node) => node.tagName !== "PRE" && ["auto", "scroll"].includes(overflow(node));
  const isCut = ({ parentElement: over }) => over && (overflow(over) !== "visible" || isCut(over));
  return [...document.body.querySelectorAll("*")]
    .filter((each) => (scrolls(each) ? each.scrollWidth > each.clientWidth :
      each.getBoundingClientRect().right > width + 1 && !isCut(each)))
    .map((each) => each.outerHTML.slice(0, 120));
}"""


async def too_wide(page: Page) -> list[str]:
    """The elements that stand out of the page to the right, or scroll sideways, except `pre`."""
    width = await page.evaluate("document.documentElement.clientWidth")
    wide: list[str] = await page.evaluate(TOO_WIDE, width)
    scrolls = await page.evaluate("document.documentElement.scrollWidth") > width
    return [*wide, *(["the page scrolls sideways"] if scrolls else [])]


async def problems(page: Page, axe: str) -> list[str]:
    """All of these."""
    return [*await faults(page, axe), *await too_wide(page)]
