"""stellar-sdk's own RPC and contract clients, over aiohttp without the SDK's streaming extra."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
from stellar_sdk.client.base_async_client import BaseAsyncClient
from stellar_sdk.client.response import Response


class HttpClient(BaseAsyncClient):
    """The requests of stellar-sdk, sent through a session that somebody else closes."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def get(
        self,
        url: str,
        params: dict[str, str] | None = None,
        max_content_size: int | None = None,
    ) -> Response:
        raise NotImplementedError("stellar-sdk's RPC client only posts")

    async def post(
        self,
        url: str,
        data: dict[str, str] | None = None,
        json_data: dict[str, Any] | None = None,
    ) -> Response:
        async with self._session.post(url, json=json_data) as answer:
            return Response(answer.status, await answer.text(), dict(answer.headers), url)

    def stream(
        self, url: str, params: dict[str, str] | None = None
    ) -> AsyncGenerator[dict[str, Any], None]:
        raise NotImplementedError("stellar-sdk's RPC client only posts")

    async def close(self) -> None:
        """Leave the session open."""
