"""The connections of fanouts, as the API lists them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests.api.reference.test_documents import Judge
from tests.fanout.replicas import Replica
from tests.support.sse_client import SseClient
from tests.support.web_client import WebClient

PATH = "/v1/system/connections"
StartFanouts = Callable[..., Awaitable[list[Replica]]]


def urls(*replicas: Replica) -> str:
    return ",".join(f"http://127.0.0.1:{replica.port}" for replica in replicas)


async def page_of(client: WebClient, query: str = "", **more: Any) -> dict[str, Any]:
    answer = await client.get(f"{PATH}?{query}", **more)
    document: dict[str, Any] = await answer.json(content_type=None)
    assert answer.status == 200, document
    judge = Judge(await (await client.get("/openapi.json")).json())
    judge.check("ConnectionPage", document)
    return document


def id_of(client: SseClient) -> str:
    return str(client.events[0].json["clientId"])
