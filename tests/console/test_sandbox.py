"""Without the runner there is no sandbox. tests/system/test_sandbox.py tests it with the runner."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.console.browser import User
from tests.support.installation import Installation

pytestmark = [
    pytest.mark.io,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(180),
]
ASKED = (
    ("GET", "/sandbox"),
    ("POST", "/sandbox/cut"),
    ("POST", "/v1/sandbox/cut"),
    ("GET", "/sandbox/wallet"),
    ("POST", "/sandbox/wallet"),
)


async def test_without_the_runner_there_is_no_sandbox(whole: Installation, someone: User) -> None:
    url = whole.url(whole.ports.gateway)
    for method, path in ASKED:
        async with whole.session.request(method, url + path, headers={"Origin": url}) as response:
            assert response.status == 404
            assert "Headrace-Sandbox" not in response.headers
    page = await someone.open("#/sandbox")
    await page.get_by_text("This server has no sandbox.").wait_for()
    link = page.get_by_role("navigation").get_by_role("link", name="Sandbox")
    await expect(link).to_have_count(0)
    assert someone.noise == []
