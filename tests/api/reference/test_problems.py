"""/problems: every type of problem has a page, and the `type` of an error leads to it."""

from __future__ import annotations

import re

import pytest

from services.api.reference.problems import PROBLEM_TYPES
from shared.web.problems import Slug
from tests.support.web_client import WebClient

BROWSER = {"Accept": "text/html,application/xhtml+xml"}


def test_every_slug_is_explained() -> None:
    assert set(PROBLEM_TYPES) == set(Slug)


@pytest.mark.parametrize("slug", Slug)
async def test_each_type_has_a_page_and_a_document(client: WebClient, slug: Slug) -> None:
    response = await client.get(f"/problems/{slug}")
    document = await response.json()
    assert (response.status, document["type"]) == (200, f"/problems/{slug}")
    assert document["example"]["status"] in document["statuses"]
    page = await client.get(f"/problems/{slug}", headers=BROWSER)
    text = await page.text()
    assert (page.status, page.content_type) == (200, "text/html")
    assert document["title"] in text
    assert not re.search(r"https?://|<script|style=\"", text)


async def test_the_type_of_an_error_leads_to_its_explanation(client: WebClient) -> None:
    error = await (await client.get("/v1/streams/8")).json(content_type=None)
    response = await client.get(error["type"])
    assert (response.status, (await response.json())["title"]) == (200, error["title"])


async def test_the_list_links_every_type(client: WebClient) -> None:
    page = await (await client.get("/problems", headers=BROWSER)).text()
    assert all(f'href="/problems/{slug}"' in page for slug in Slug)
    items = (await (await client.get("/problems")).json())["items"]
    assert len(items) == len(Slug)


async def test_an_unknown_type_is_not_found(client: WebClient) -> None:
    assert (await client.get("/problems/nothing")).status == 404
