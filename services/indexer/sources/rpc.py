"""Stellar RPC, as far as the Horizon source needs it: a transaction's meta by its hash."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import aiohttp
import orjson

from services.indexer.sources import SourceError


class Rpc:
    """JSON-RPC 2.0 over HTTP, each call with a time-out."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, seconds: float = 10.0) -> None:
        self._session = session
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=seconds)

    async def call(self, method: str, **params: object) -> dict[str, Any]:
        """The call's result. Raises SourceError."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            async with self._session.post(
                self._url,
                data=orjson.dumps(request),
                headers={"Content-Type": "application/json"},
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                if response.status != 200:
                    raise SourceError("rpc_status", f"{method} answered {response.status}")
                answer = orjson.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as error:
            raise SourceError("rpc", f"{method}: {error!r}") from error
        result = answer.get("result") if isinstance(answer, dict) else None
        if not isinstance(result, dict):
            raise SourceError("rpc_error", f"{method}: {str(answer)[:200]}")
        return result

    async def meta(self, tx_hash: str) -> bytes:
        """The transaction's TransactionMeta. Raises SourceError when RPC does not have it (yet)."""
        result = await self.call("getTransaction", hash=tx_hash)
        try:
            return base64.b64decode(result["resultMetaXdr"], validate=True)
        except (KeyError, TypeError, binascii.Error):
            raise SourceError(
                "meta_missing", f"RPC has no meta of {tx_hash} either ({result.get('status')})"
            ) from None
