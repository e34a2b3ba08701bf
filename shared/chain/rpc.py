"""A client for Stellar RPC: JSON-RPC 2.0 over HTTP, with a time-out and bounded answers."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import aiohttp
import orjson

from shared.chain.errors import SourceError
from shared.chain.http import ledger_number, post_json
from shared.domain.position import LedgerRange
from shared.runtime.urls import redacted

OUT_OF_RANGE = -32600
"""stellar-rpc's code for several errors. One of them: the start is outside of its ledger range."""
NO_SUCH_METHOD = -32601
_TIMED_OUT = -32001
_CONNECT_SECONDS = 5.0
_RANGE = re.compile(r"ledger range: (\d{1,10}) - (\d{1,10})", re.ASCII)
"""Finds the range of ledgers in the text of a getEvents error (-32600)."""
_TOO_LARGE = re.compile(r"processing limit|time(d )?[ -]?out|deadline|too (large|long)", re.I)
"""Finds texts in which servers say that a call asks for too much; their error codes differ."""


_ONE_EVENT = {"limit": 1}
_KEY_AND_XDR = ("key", "xdr")
MOST_KEYS = 200
"""The most keys in a call of getLedgerEntries (stellar-rpc)."""


class LedgerEntry(NamedTuple):
    """An entry: the XDR of its LedgerEntryData, and the ledger in which it was changed last.

    `archived`: nobody has paid for its storage. The contract cannot use it until it is restored.
    """

    data: bytes
    modified: int
    archived: bool


class LedgerEntries(NamedTuple):
    """Ledger entries by key, as of the ledger `latest`. Keys without an entry are left out."""

    latest: int
    found: Mapping[bytes, LedgerEntry]


class RpcError(SourceError):
    """A JSON-RPC error; `code` and `message` are the fields of its `error` object."""

    def __init__(self, method: str, code: object, message: str) -> None:
        kind = "rpc_timeout" if code == _TIMED_OUT else "rpc_error"
        is_too_large = code == _TIMED_OUT or _TOO_LARGE.search(message) is not None
        super().__init__(kind, f"{method} answered {code}: {message}", is_too_large=is_too_large)
        self.code = code
        self.message = message


class RpcClient:
    """Calls methods of one RPC server."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, seconds: float = 10.0) -> None:
        self._session = session
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=_CONNECT_SECONDS)

    @property
    def shown_url(self) -> str:
        """The URL for logs and errors, without secrets."""
        return redacted(self._url)

    async def call(self, method: str, **params: object) -> dict[str, Any]:
        """Call a method; returns its result.

        Raises RpcError if the answer is a JSON-RPC error, SourceError if there is no valid answer.
        """
        request: dict[str, object] = {"jsonrpc": "2.0", "id": 1, "method": method}
        body = orjson.dumps(request | ({"params": params} if params else {}))
        response = await post_json(self._session, self._url, self._timeout, body)
        if isinstance(error := response.get("error"), dict):
            raise RpcError(method, error.get("code"), str(error.get("message"))[:200])
        result = response.get("result")
        if not isinstance(result, dict):
            raise SourceError(
                "malformed", f"{method} returned neither a result nor an error: {response!s:.200}"
            )
        return result

    async def ledgers(self) -> LedgerRange:
        """Return the first and the last ledger whose events RPC has. Raises SourceError.

        Calls getEvents for ledger 1, because the text of the error names the range. getHealth is no
        replacement: it fails while the last ledger is older than 30 s (stellar-rpc's
        max-healthy-ledger-latency), although getEvents still works. getLatestLedger would return a
        whole meta.
        """
        try:
            answer = await self.call("getEvents", startLedger=1, endLedger=2, pagination=_ONE_EVENT)
        except RpcError as error:
            if error.code != OUT_OF_RANGE:
                raise
            if named_range := _RANGE.search(error.message):
                answer = {"oldestLedger": int(named_range[1]), "latestLedger": int(named_range[2])}
            else:  # the error text of this server does not name the range
                answer = await self.call("getHealth")
        return LedgerRange(
            *(ledger_number("RPC", answer, f"{e}Ledger") for e in ("oldest", "latest"))
        )

    async def list_ledgers(self, first: int, count: int) -> list[Any]:
        """List up to `count` ledgers that RPC has from `first` on, each with its whole meta.

        Raises SourceError.
        """
        answer = await self.call("getLedgers", startLedger=first, pagination={"limit": count})
        if not isinstance(listed := answer.get("ledgers"), list):
            raise SourceError(
                "malformed", f"getLedgers returned no list of ledgers: {answer!s:.200}"
            )
        return listed

    async def transactions(self, after: int, limit: int) -> list[Any]:
        """List up to `limit` transactions after the TOID `after`, of any contract.

        RPC must have the ledger of `after`. Raises SourceError.
        """
        page = {"cursor": str(after), "limit": limit}
        answer = await self.call("getTransactions", pagination=page)
        if not isinstance(listed := answer.get("transactions"), list):
            raise SourceError("malformed", f"getTransactions returned no list: {answer!s:.200}")
        return listed

    async def entries(self, keys: Sequence[bytes]) -> LedgerEntries:
        """Return the ledger entries with these keys, as of RPC's last ledger.

        At most MOST_KEYS keys; each is the XDR of a LedgerKey. Raises SourceError.
        """
        texts = [base64.b64encode(key).decode() for key in keys]
        answer = await self.call("getLedgerEntries", keys=texts)
        latest = ledger_number("RPC", answer, "latestLedger")
        found = {}
        try:
            for each in answer.get("entries") or ():
                key, data = (base64.b64decode(each[name], validate=True) for name in _KEY_AND_XDR)
                archived = each.get("liveUntilLedgerSeq") == 0
                found[key] = LedgerEntry(data, int(each["lastModifiedLedgerSeq"]), archived)
        except (KeyError, TypeError, ValueError) as error:
            detail = f"getLedgerEntries sent an entry without {error!s:.80}: {answer!s:.200}"
            raise SourceError("malformed", detail) from error
        return LedgerEntries(latest, found)

    async def meta(self, tx_hash: str) -> bytes:
        """Return the meta of a transaction. Raises SourceError if RPC does not have it yet."""
        result = await self.call("getTransaction", hash=tx_hash)
        try:
            return base64.b64decode(result["resultMetaXdr"], validate=True)
        except (KeyError, TypeError, binascii.Error):
            raise SourceError(
                "meta_missing", f"RPC has no meta of {tx_hash} either ({result.get('status')})"
            ) from None
