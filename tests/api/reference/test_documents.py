"""OpenAPI: it is valid, lists every route, and the responses match it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from redis.asyncio import Redis

from services.api.reference.openapi import routes_of
from services.api.reference.operations import OPERATIONS
from shared.journal.keys import Keys
from tests.api.samples import SENDER, TOKEN, Clock, made, on_chain
from tests.support.web_client import WebClient


@pytest.fixture
async def document(client: WebClient) -> Any:
    return await (await client.get("/openapi.json")).json()


async def test_openapi_is_valid_and_lists_every_route(client: WebClient, document: Any) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1.")
    documented = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    assert documented == set(routes_of(client.app.router))
    assert {(m, p.removeprefix("/v1") or "/") for m, p in documented} == set(OPERATIONS)
    ids = [
        each["operationId"] for methods in document["paths"].values() for each in methods.values()
    ]
    assert len(ids) == len(set(ids))


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for each in node.values():
            yield from references(each)
    elif isinstance(node, list):
        for each in node:
            yield from references(each)


@pytest.mark.parametrize("path", ["/openapi.json", "/asyncapi.json"])
async def test_every_reference_resolves(client: WebClient, path: str) -> None:
    document = await (await client.get(path)).json()
    for reference in set(references(document)):
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


class Judge:
    """Compares responses with the document."""

    def __init__(self, document: Any) -> None:
        self._document = document

    def schema(self, name: str) -> dict[str, Any]:
        return {"$ref": f"#/components/schemas/{name}", "components": self._document["components"]}

    @cache  # noqa: B019 - one a test
    def validator(self, name: str) -> Draft202012Validator:
        return Draft202012Validator(self.schema(name))

    def check(self, name: str, answer: object) -> None:
        errors = [f"{e.json_path}: {e.message}" for e in self.validator(name).iter_errors(answer)]
        assert not errors


async def test_responses_match_the_document(
    client: WebClient, document: Any, redis: Redis, keys: Keys, clock: Clock
) -> None:
    judge = Judge(document)
    stream = await made(client, metadata={"label": "x", "tags": ["a"]})
    await on_chain(redis, keys, 7)
    clock.now += 30
    url = f"/v1/streams/{stream['id']}"
    judge.check("StreamDocument", stream)
    for step in ("pause", "resume", "withdraw"):
        judge.check("StreamDocument", await (await client.post(f"{url}/{step}")).json())
    for name, path in [
        ("StreamDocument", url),
        ("StreamDocument", "/v1/streams/7"),
        ("StreamPage", "/v1/streams"),
        ("StreamPage", "/v1/streams?status=active&limit=1"),
        ("StreamPage", f"/v1/streams?status=active&sender={SENDER}"),
        ("HistoryPage", "/v1/events?all=true&limit=1"),
        ("HistoryPage", f"{url}/events"),
        ("AccountSummary", f"/v1/users/{SENDER}/summary"),
        ("TokenDetails", f"/v1/tokens/{TOKEN}"),
        ("ProblemDocument", "/v1/streams/8"),
        ("ProblemDocument", "/v1/events"),
    ]:
        judge.check(name, await (await client.get(path)).json(content_type=None))
    judge.check("StreamDocument", await (await client.delete(url)).json())


async def test_the_page_needs_no_other_host(client: WebClient) -> None:
    response = await client.get("/docs")
    assert (response.status, response.content_type) == (200, "text/html")
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    text = await response.text()
    parts = re.findall(r'(?:src|href)="(/docs/[^"]+)"', text)
    assert len(parts) == 2
    for part in parts:
        answer = await client.get(part)
        assert answer.status == 200
        text += await answer.text()
    assert not re.search(r"https?://|//[a-z]+\.", text)
    assert not re.search(r"innerHTML|eval\(|\son[a-z]+=|style=\"", text)
    assert (await client.get("/docs/../app.py")).status == 404
    assert (await client.get("/docs/index.py")).status == 404
