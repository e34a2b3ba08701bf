"""A reader without a pointer: moves by Tab, and must always see where the focus is."""

from __future__ import annotations

from playwright.async_api import Locator, Page
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

MOST = 300
"""Presses of Tab after which a control is taken for unreachable."""

FOCUS_FAULT = """() => {
  const node = document.activeElement;
  if (node === document.body) return "";
  const words = `${node.outerHTML.slice(0, 100)}: `;
  const { outlineStyle, outlineWidth, outlineOffset } = getComputedStyle(node);
  if (outlineStyle === "none" || !parseFloat(outlineWidth)) return words + "no outline";
  const { top, bottom, left, right, height } = node.getBoundingClientRect();
  const modal = node.closest("dialog");
  const header = document.querySelector(".top");
  const above = modal || header.contains(node) ? 0 : header.getBoundingClientRect().bottom;
  const isWhole = top >= above - 1 && bottom <= innerHeight + 1;
  const fits = height < innerHeight - above && !node.matches(".skip");
  if (!isWhole && fits) return words + "out of sight";
  const edge = parseFloat(outlineWidth) + parseFloat(outlineOffset) - 0.5;
  for (let each = node.parentElement; each !== document.body; each = each.parentElement) {
    if (getComputedStyle(each).overflowX === "visible") continue;
    const box = each.getBoundingClientRect();
    if (left - edge < box.left || right + edge > box.right) return words + "outline is cut off";
  }
  return "";
}"""


async def step(page: Page, key: str = "Tab") -> None:
    """Move the focus. It must be visible then, at the latest when a list that moves has stopped."""
    await page.keyboard.press(key)
    try:
        await page.wait_for_function(f"!({FOCUS_FAULT})()", timeout=5_000)
    except PlaywrightTimeoutError:
        raise AssertionError(await page.evaluate(FOCUS_FAULT)) from None


async def tab_to(page: Page, target: Locator, key: str = "Tab") -> None:
    """Move the focus to a control."""
    await target.wait_for()
    for _ in range(MOST):
        await step(page, key)
        if await target.evaluate("each => each === document.activeElement"):
            return
    raise AssertionError(f"Tab does not lead to {target}")


async def press(page: Page, target: Locator, key: str = "Tab") -> None:
    """Move to a button or a link, and press it."""
    await tab_to(page, target, key)
    await page.keyboard.press("Enter")


async def enter(page: Page, target: Locator, text: str, key: str = "Tab") -> None:
    """Move to a field, and replace its text. In a list of choices, this chooses one."""
    await tab_to(page, target, key)
    if await target.evaluate("each => each.matches('input, textarea')"):
        await page.keyboard.press("Control+A")
    await page.keyboard.type(text)


WATCH = """() => {
  const focusable = "a[href], button, input, select, textarea, [tabindex='0']";
  window.missed = new Set(document.querySelectorAll(focusable));
  document.addEventListener("focusin", ({ target }) => window.missed.delete(target));
}"""
MISSED = """() => [...window.missed]
  .filter((each) => each.isConnected && each.getClientRects().length && !each.disabled)
  .map((each) => each.outerHTML.slice(0, 100))"""
IS_FIRST = "document.activeElement.matches('.skip')"


async def unreachable(page: Page) -> list[str]:
    """Go backwards through the whole page: the controls that never have the focus.

    Backwards, because then the header at the top of the window could cover the focus.
    """
    await page.evaluate(WATCH)
    await page.locator(".skip").focus()  # the first one; before it is the last one
    for _ in range(MOST):
        await step(page, "Shift+Tab")
        if await page.evaluate(IS_FIRST):
            return list(await page.evaluate(MISSED))
    raise AssertionError("the focus does not come to the top of the page")
