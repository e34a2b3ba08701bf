"""The requests that a page sends: held until a test releases them, and counted."""

from __future__ import annotations

import asyncio
from typing import Any

from playwright.async_api import Page, Route


class Held:
    """The requests with a method and a path wait until the test releases them."""

    def __init__(self, method: str, **answer: Any) -> None:
        self._method, self._answer = method, answer
        self.reached, self.released = asyncio.Event(), asyncio.Event()

    async def __call__(self, route: Route) -> None:
        """Handle a request: the API answers it, or the test."""
        if route.request.method == self._method:
            self.reached.set()
            await self.released.wait()
        is_ours = self._answer and route.request.method == self._method
        await (route.fulfill(**self._answer) if is_ours else route.continue_())


def methods_of(page: Page) -> list[str]:
    """The methods of the requests about webhooks that the page sends from now on."""
    methods = list[str]()
    page.on("request", lambda r: methods.append(r.method) if "/v1/webhooks" in r.url else None)
    return methods


async def all_are_known(page: Page) -> None:
    """Return when the test knows of each request that the page has begun."""
    await page.evaluate("fetch('/').then(() => null)")
