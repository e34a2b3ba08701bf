"""Requests about webhooks that are refused: the words say what is wrong and what would be right."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.auth.samples import ALICE, BOB, writer
from tests.api.webhooks.samples import URL, answer_of, created
from tests.support.web_client import WebClient

OWNER = writer(ALICE)
CONTROL = "has a control character that is no line break or tab, such as \\u0000"


@pytest.mark.parametrize(
    ("change", "pointer", "detail"),
    [
        ({"streams": "1"}, "/streams", 'must be a list, such as ["1"]'),
        ({"streams": 1}, "/streams", 'must be a list, such as ["1"]'),
        ({"types": "x"}, "/types", 'must be a list, such as ["x"]'),
        ({"types": {}}, "/types", "must be a list"),
        ({"all": "yes"}, "/all", "must be true or false"),
        ({"batch": "1"}, "/batch", "must be a whole number"),
        ({"batch": 101}, "/batch", "must be less than or equal to 100"),
        ({"description": 7}, "/description", "must be a JSON string"),
        ({"description": "a\0b"}, "/description", CONTROL),
        ({"description": "\x1b[31m"}, "/description", CONTROL),
        ({"order": "none"}, "/order", "'none' is not known: must be 'endpoint' or 'stream'"),
    ],
)
async def test_the_words_are_those_of_json(
    client: WebClient, change: dict[str, Any], pointer: str, detail: str
) -> None:
    body = {"url": URL, "all": True} | change
    status, problem = await answer_of(client, "POST", "", json=body)
    assert (status, problem["errors"]) == (422, [{"pointer": pointer, "detail": detail}])


async def test_a_wrong_type_is_repeated_before_those_that_are_right(client: WebClient) -> None:
    for given, shown in [("stream.renamed", "stream.renamed"), ("x" * 5_000, "x" * 64)]:
        body = {"url": URL, "all": True, "types": ["stream.created", given]}
        _, problem = await answer_of(client, "POST", "", json=body)
        (error,) = problem["errors"]
        assert error["pointer"] == "/types/1"
        assert error["detail"].startswith(f"'{shown}' is not known: must be 'stream.created', ")


async def test_a_description_can_have_lines(client: WebClient) -> None:
    text = "for the shop\n\tand for the books: ü"
    assert (await created(client, {}, all=True, description=text))["description"] == text


@pytest.mark.parametrize("cursor", ["zz", "1.wh_", "1.wh_000000000000000000000000\n"])
async def test_a_cursor_is_taken_from_a_page(client: WebClient, cursor: str) -> None:
    status, problem = await answer_of(client, "GET", "", params={"cursor": cursor})
    detail = "must be the `next` of a page, unchanged"
    assert (status, problem["errors"]) == (422, [{"parameter": "cursor", "detail": detail}])


async def test_all_needs_the_right_to_all(secure: WebClient) -> None:
    one = {"pointer": "/all", "detail": "needs a token with the scope events:all"}
    body = {"url": URL, "all": True}
    status, problem = await answer_of(secure, "POST", "", json=body, headers=OWNER)
    assert (status, problem["errors"]) == (403, [one])
    path = f"/{(await created(secure, OWNER))['id']}"
    status, problem = await answer_of(secure, "PATCH", path, json={"all": True}, headers=OWNER)
    assert (status, problem["errors"]) == (403, [one])


async def test_a_topic_that_may_not_be_read_is_named(secure: WebClient) -> None:
    for name, value in [("users", BOB.public_key), ("streams", "7")]:
        body = {"url": URL, name: [value]}
        status, problem = await answer_of(secure, "POST", "", json=body, headers=OWNER)
        (error,) = problem["errors"]
        assert (status, error["pointer"], value in error["detail"]) == (403, f"/{name}", True)


async def test_a_history_that_may_not_be_read_names_its_parameter(secure: WebClient) -> None:
    async with secure.get("/v1/events", params={"all": "true"}, headers=OWNER) as response:
        problem = await response.json()
    detail = "needs a token with the scope events:all"
    assert (response.status, problem["errors"]) == (403, [{"parameter": "all", "detail": detail}])
