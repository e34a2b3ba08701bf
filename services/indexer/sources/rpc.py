"""Stellar RPC's client: JSON-RPC 2.0 over HTTP, each call with a time-out, its answer bounded."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import aiohttp
import orjson

from services.indexer.sources import SourceError
from services.indexer.sources.http import post_json

OUT_OF_RANGE = -32600
"""stellar-rpc's code, among other things, for a start outside of its history."""
NO_SUCH_METHOD = -32601
_TIMED_OUT = -32001


class RpcRefused(SourceError):
    """An answer with an `error` in it; `code` and `said` are JSON-RPC's code and message."""

    def __init__(self, method: str, code: object, said: str) -> None:
        kind = "rpc_timeout" if code == _TIMED_OUT else "rpc_error"
        super().__init__(kind, f"{method} answered {code}: {said}")
        self.code = code
        self.said = said


class Rpc:
    """The calls, by name."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, seconds: float = 10.0) -> None:
        self._session = session
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=seconds)

    async def call(self, method: str, **params: object) -> dict[str, Any]:
        """The call's result. Raises SourceError; RpcRefused when the answer is an error."""
        request: dict[str, object] = {"jsonrpc": "2.0", "id": 1, "method": method}
        body = orjson.dumps(request | ({"params": params} if params else {}))
        answer = await post_json(self._session, self._url, self._timeout, body)
        if isinstance(error := answer.get("error"), dict):
            raise RpcRefused(method, error.get("code"), str(error.get("message"))[:200])
        result = answer.get("result")
        if not isinstance(result, dict):
            raise SourceError("malformed", f"{method}: neither result nor error: {answer!s:.200}")
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
