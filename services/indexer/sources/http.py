"""Requests to a source: failures have names, answers are bounded, redirects are not followed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

from services.indexer.records import hash_text
from services.indexer.sources import SourceError, SourceFatal

SSE = ("text/event-stream",)
JSON = ("application/json", "application/hal+json")
"""Types of content: the first is asked for, any of them is taken."""

_FATAL = {400: "bad_request", 404: "not_found", 406: "not_acceptable", 410: "before_history"}
_MOST_BYTES = 32 << 20
"""Of one answer: a page of events, a transaction's or a whole ledger's meta in base64."""
_LONGEST_WAIT = 3600.0
"""Seconds: Horizon counts requests by the hour, so a Retry-After beyond that is a mistake."""


@asynccontextmanager
async def get(
    session: aiohttp.ClientSession,
    url: str,
    limits: aiohttp.ClientTimeout,
    accept: tuple[str, ...],
) -> AsyncIterator[aiohttp.ClientResponse]:
    """A 200 answer of the wanted type. Raises SourceError or SourceFatal."""
    async with _asked(session, "GET", url, timeout=limits, accept=accept) as response:
        yield response


async def post_json(
    session: aiohttp.ClientSession, url: str, limits: aiohttp.ClientTimeout, body: bytes
) -> dict[str, Any]:
    """The JSON object that answers a JSON body. Raises SourceError alone.

    JSON-RPC says in its answers what is final; a status is its server's, or a proxy's, trouble.
    """
    try:
        async with _asked(session, "POST", url, timeout=limits, accept=JSON, body=body) as response:
            return await read_json(response)
    except SourceFatal as error:
        raise SourceError(error.kind, str(error)) from error


@asynccontextmanager
async def _asked(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own, of several kinds
    accept: tuple[str, ...],
    body: bytes | None = None,
) -> AsyncIterator[aiohttp.ClientResponse]:
    headers = {"Accept": accept[0]} | ({} if body is None else {"Content-Type": JSON[0]})
    try:
        response = await session.request(
            method, url, data=body, timeout=timeout, headers=headers, allow_redirects=False
        )
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise SourceError("unreachable", f"{url}: {error!r}") from error
    try:
        if response.status != 200:
            raise await _refusal(response)
        if response.content_type not in accept:
            raise SourceError("content_type", f"{url} answered {response.content_type}")
        yield response
    finally:
        response.close()


async def _refusal(response: aiohttp.ClientResponse) -> Exception:
    status = response.status
    try:
        said = (await response.content.read(400)).decode(errors="replace")
    except (aiohttp.ClientError, TimeoutError):
        said = ""
    if kind := _FATAL.get(status):
        return SourceFatal(kind, f"{response.url} answered {status}: {said}")
    wait = response.headers.get("Retry-After", "")
    after = min(float(wait), _LONGEST_WAIT) if wait.isdecimal() else None
    return SourceError(f"status_{status}", said or "(no body)", after)


async def read_json(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """The answer's JSON object. Raises SourceError."""
    body = bytearray()
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > _MOST_BYTES:
                raise SourceError("malformed", f"{response.url}: more than {_MOST_BYTES} bytes")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise SourceError("dropped", repr(error)) from error
    return parse_object(bytes(body))


def parse_object(text: str | bytes) -> dict[str, Any]:
    """A JSON object. Raises SourceError."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise SourceError("malformed", f"not JSON: {text[:80]!r} ({error})") from error
    if not isinstance(document, dict):
        raise SourceError("malformed", f"not a JSON object: {text[:80]!r}")
    return document


def ledger_number(whose: str, body: Mapping[str, Any], name: str) -> int:
    """A ledger's number in an answer. Raises SourceError."""
    match body.get(name):
        case int(number) if 0 <= number < 1 << 31:
            return number
    raise SourceError("malformed", f"{whose} tells no ledger's number {name!r}: {body!s:.200}")


def ledger_hash(whose: str, body: Mapping[str, Any], name: str) -> str:
    """A ledger's hash in an answer. Raises SourceError."""
    try:
        return hash_text(body.get(name))
    except (TypeError, ValueError) as error:
        what = f"{whose} tells no ledger's hash {name!r}: {body!s:.200}"
        raise SourceError("malformed", what) from error
