"""Send HTTP requests to a source: each error has a kind, answers have a maximum size.

Redirects are not followed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson

from shared.chain.decode.records import hash_text
from shared.chain.errors import FatalSourceError, SourceError
from shared.runtime.urls import redacted, without_secrets
from shared.web.client import http_date, reason
from shared.web.horizon_errors import problem

SSE = ("text/event-stream",)
JSON = ("application/json", "application/hal+json")
"""Content types. The first one is sent in Accept; all of them are accepted in the answer."""

_FATAL_STATUSES = {
    400: "bad_request",
    404: "not_found",
    406: "not_acceptable",
    410: "before_history",
}
"""By status: the kind of a fatal error, if the answer is a problem document of Horizon.

Without this document the error is temporary: a proxy sends these statuses while Horizon restarts.
"""
_TOO_LARGE_STATUSES = {408, 413, 504, 524}
"""Statuses for time-outs (524 is Cloudflare's) and for requests that are too large."""
_HINTS = {
    401: "check the key or password in the URL",
    403: "check the key or password in the URL",
    407: "check the password in HTTPS_PROXY or HTTP_PROXY",
}
_MAX_BYTES = 32 << 20
"""The maximum size of an answer: a page of events, or the meta of a whole ledger in base64."""
_MAX_WAIT = 3600.0
"""Seconds. Horizon's limits are per hour, so a longer Retry-After must be a mistake."""
_MAX_ERROR_BYTES = 4096
"""Only this many bytes of an error answer are read. Horizon's problem documents have about 350."""


@asynccontextmanager
async def get(
    session: aiohttp.ClientSession,
    url: str,
    limits: aiohttp.ClientTimeout,
    accept: tuple[str, ...],
) -> AsyncIterator[aiohttp.ClientResponse]:
    """Send a GET request; yields an answer with status 200 and a content type in `accept`.

    `limits` are aiohttp's time-outs. Raises SourceError, FatalSourceError.
    """
    async with _request(session, "GET", url, timeout=limits, accept=accept) as response:
        yield response


async def post_json(
    session: aiohttp.ClientSession, url: str, limits: aiohttp.ClientTimeout, body: bytes
) -> dict[str, Any]:
    """Send a POST request with a JSON body; returns the answer's JSON object. Raises SourceError.

    JSON-RPC sends its errors in the body, so no HTTP status is fatal here.
    """
    try:
        async with _request(
            session, "POST", url, timeout=limits, accept=JSON, body=body
        ) as response:
            return await read_json(response)
    except FatalSourceError as error:  # RPC_URL is wrong: it names a Horizon server
        raise SourceError(error.kind, str(error)) from error


@asynccontextmanager
async def _request(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's time-outs, not seconds
    accept: tuple[str, ...],
    body: bytes | None = None,
) -> AsyncIterator[aiohttp.ClientResponse]:
    headers = {"Accept": accept[0]} | ({} if body is None else {"Content-Type": JSON[0]})
    try:
        response = await session.request(
            method, url, data=body, timeout=timeout, headers=headers, allow_redirects=False
        )
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _transport_error("unreachable", url, error) from error
    try:
        if response.status != 200:
            raise await _status_error(response)
        if response.content_type not in accept:
            detail = f"{redacted(url)} sent content type {response.content_type}, not {accept[0]}"
            raise SourceError("content_type", detail)
        yield response
    finally:
        response.close()


async def _status_error(response: aiohttp.ClientResponse) -> Exception:
    """Create a FatalSourceError if Horizon itself refuses permanently, else a SourceError."""
    status, url, kind = response.status, str(response.url), f"status_{response.status}"
    try:
        body = await response.content.read(_MAX_ERROR_BYTES)
    except (aiohttp.ClientError, TimeoutError):
        body = b""
    text = without_secrets(body[:400].decode(errors="replace"), url) or "(no body)"
    context = f"{redacted(url)} answered {status}"
    if status in _FATAL_STATUSES and (
        slug := problem(response.headers.get("Content-Type", ""), body)
    ):
        return FatalSourceError(
            _FATAL_STATUSES[status], f"Horizon itself: {context} {slug}: {text}"
        )
    if location := response.headers.get("Location"):
        text = f"redirects are not followed; the target is {redacted(location)}"
    hint = f"; {_HINTS[status]}" if status in _HINTS else ""
    if after := retry_after(response.headers):
        hint += f"; the server asks to wait {after:.0f} s"
    return SourceError(
        kind, f"{context}{hint}: {text}", after, is_too_large=status in _TOO_LARGE_STATUSES
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the wait in seconds that Retry-After asks for, at most one hour; else None.

    The header has seconds or a date (RFC 9110, 10.2.3). A date is compared with the server's own
    `Date`, because our clock may differ.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        return min(float(text), _MAX_WAIT)
    if (until := http_date(text)) is None:
        return None
    now = http_date(headers.get("Date", "")) or datetime.now(UTC)
    return min(max((until - now).total_seconds(), 0.0), _MAX_WAIT)


def _transport_error(kind: str, url: str, error: Exception) -> SourceError:
    """Create the error for an answer that did not come or was cut off.

    A time-out of a request may mean that the request was too large. A time-out while connecting
    does not.
    """
    slow = isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ConnectionTimeoutError)
    return SourceError(kind, f"{redacted(url)}: {reason(error)}", is_too_large=slow)


async def read_json(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """Read the JSON object in an answer. Raises SourceError."""
    body = bytearray()
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > _MAX_BYTES:
                detail = (
                    f"{redacted(str(response.url))}: the answer has more than {_MAX_BYTES} bytes"
                )
                raise SourceError("malformed", detail, is_too_large=True)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _transport_error("dropped", str(response.url), error) from error
    return parse_object(bytes(body))


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Parse a JSON object. Raises SourceError."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise SourceError("malformed", f"not JSON: {text[:80]!r} ({error})") from error
    if not isinstance(document, dict):
        raise SourceError("malformed", f"not a JSON object: {text[:80]!r}")
    return document


def check_network(server: str, answered: object, expected: str) -> None:
    """Raise FatalSourceError if the server is on another network; SourceError if it names none.

    An answer that names no network may come from a proxy: for example, during maintenance a proxy
    answers 200 with its own JSON. So this error is temporary.
    """
    if not isinstance(answered, str):
        raise SourceError("malformed", f"{server} sent no network passphrase: {answered!r:.80}")
    if answered != expected:
        raise FatalSourceError(
            "passphrase", f"{server} is on network {answered!r}, not {expected!r}"
        )


def ledger_number(server: str, body: Mapping[str, Any], name: str) -> int:
    """Return a ledger number from an answer. Raises SourceError.

    0 is an error too: the server has just started or has no ledger yet.
    """
    match body.get(name):
        case 0:
            raise SourceError("no_ledger", f"{server} has no ledger yet: {name!r} is 0")
        case int(number) if 0 < number < 1 << 31:
            return number
    raise SourceError("malformed", f"{server} sent no ledger number {name!r}: {body!s:.200}")


def ledger_hash(server: str, body: Mapping[str, Any], name: str) -> str:
    """Return a ledger hash from an answer. Raises SourceError."""
    try:
        return hash_text(body.get(name))
    except (TypeError, ValueError) as error:
        detail = f"{server} sent no ledger hash {name!r}: {body!s:.200}"
        raise SourceError("malformed", detail) from error
