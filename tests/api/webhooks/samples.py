"""Requests for the tests of webhooks, and what a dispatcher stores."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from shared.journal.keys import Keys
from shared.webhooks.attempts import Attempt, encode_attempt
from shared.webhooks.progress import Progress, ProgressStore, ProgressWrite
from tests.support.web_client import WebClient

URL = "https://shop.example/headrace?tenant=7"


async def answer_of(client: WebClient, method: str, path: str, **how: Any) -> tuple[int, Any]:
    """The status and the JSON of a response, None without a body."""
    async with client.request(method, f"/v1/webhooks{path}", **how) as response:
        text = await response.read()
        return response.status, await response.json(content_type=None) if text else None


async def created(client: WebClient, headers: dict[str, str], **more: Any) -> dict[str, Any]:
    """Create a webhook and return it with its secret."""
    status, document = await answer_of(
        client, "POST", "", json={"url": URL, **more}, headers=headers
    )
    assert status == 201, document
    made: dict[str, Any] = document
    return made


async def delivered(
    redis: Redis, keys: Keys, endpoint_id: str, progress: Progress, attempt: Attempt | None = None
) -> None:
    """Store progress like the dispatcher that has the endpoint's partition."""
    await redis.set(keys.webhook_partition(0), "dispatcher")
    write = ProgressWrite(endpoint_id, progress, encode_attempt(attempt) if attempt else b"")
    assert await ProgressStore(redis, keys).write(0, "dispatcher", [write])
