"""Requests to the API: with the token, repeated when that is safe, and with typed errors."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from yarl import URL

from headrace_client.backoff import wait_seconds
from headrace_client.errors import (
    HeadraceError,
    ProblemError,
    ProtocolError,
    ServerUnreachableError,
    UnauthorizedError,
    problem,
)
from headrace_client.login import Login

Query = Iterable[tuple[str, str]]
"""The parameters of a request. A name may occur more than once."""

NETWORK_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)
"""What aiohttp raises when there is no answer."""

_LATER = frozenset({408, 425, 429, 502, 503, 504})
"""Statuses after which the same request can succeed."""
_TRIES = 4
_LONGEST_WAIT = 30.0
"""A server that asks for a longer wait gets no second request: the caller decides."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer of the API."""

    headers: Mapping[str, str]
    document: Any


def can_come_later(error: HeadraceError) -> bool:
    """True if the same request can succeed later."""
    if isinstance(error, ProblemError):
        return error.status in _LATER or error.status >= 500
    return isinstance(error, ServerUnreachableError)


def describe(error: BaseException) -> str:
    """The text of a network error. `repr` would show headers, and with them the token."""
    return str(error) or type(error).__name__


class Http:
    """Sends requests to one server."""

    def __init__(
        self, url: str, login: Login, session: aiohttp.ClientSession, *, timeout: float
    ) -> None:
        self.base = checked_url(url)
        self.login = login
        self.session = session
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    def url(self, path: str, query: Query = ()) -> URL:
        """The URL of a path of the API."""
        base = self.base.with_path(self.base.path.rstrip("/") + path, encoded=True)
        return base.with_query(list(query))

    async def get(self, path: str, query: Query = ()) -> Answer:
        """GET. Raises HeadraceError."""
        return await self.call("GET", path, query=query)

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: object = None,
        headers: Mapping[str, str] | None = None,
        repeat: bool = True,
    ) -> Answer:
        """One call. With `repeat` it is sent again if the answer was lost or the server is busy.

        A call that changes something needs an Idempotency-Key to be repeated safely. Raises
        ServerUnreachableError, ProtocolError, ProblemError, and what the login's function raises.
        """
        url, failures, renewed = self.url(path, query), 0, False
        while True:
            token = await self.login.token()
            try:
                return await self._send(method, url, body, headers or {}, token)
            except UnauthorizedError:
                if renewed or await self.login.renew(token) == token:
                    raise
                renewed = True
            except HeadraceError as error:
                failures += 1
                wait = _wait_before_repeat(error, failures) if repeat else None
                if wait is None or failures == _TRIES:
                    raise
                await asyncio.sleep(wait)

    async def _send(
        self,
        method: str,
        url: URL,
        body: object,
        headers: Mapping[str, str],
        token: str | None,
    ) -> Answer:
        sent = {"Accept": "application/json", **authorization(token), **headers}
        data = None
        if body is not None:
            data, sent["Content-Type"] = orjson.dumps(body), "application/json"
        try:
            async with self.session.request(
                method, url, data=data, headers=sent, timeout=self._timeout, allow_redirects=False
            ) as response:
                content = await response.read()
        except NETWORK_ERRORS as error:
            raise ServerUnreachableError(
                f"{method} {self.base.origin()}{url.path}: {describe(error)}"
            ) from error
        if response.status >= 300:
            raise refusal(response, content)
        return Answer(response.headers, _document(content, url) if content else None)


def authorization(token: str | None) -> dict[str, str]:
    """The header with the token."""
    return {"Authorization": f"Bearer {token}"} if token else {}


def refusal(response: aiohttp.ClientResponse, content: bytes) -> HeadraceError:
    """The error for an answer without success."""
    if response.status < 400:
        return ProtocolError(
            f"{response.url.origin()}{response.url.path} redirects to another place: check the URL"
        )
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):  # not from Headrace: a proxy, or another server
        document = {"title": response.reason or "", "detail": ""}
    return problem(response.status, document, _retry_after(response.headers.get("Retry-After")))


def checked_url(text: str) -> URL:
    """The URL of a server. Raises ValueError that says what is expected."""
    url = URL(text)
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"{text!r} is not the URL of a server: expected http://… or https://…")
    if url.query_string or url.fragment or url.user:
        raise ValueError(
            f"{url.origin()}{url.path}: the URL of a server has no query, fragment or user"
        )
    return url


def _document(content: bytes, url: URL) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        raise ProtocolError(
            f"{url.origin()}{url.path} did not answer with JSON: check the URL"
        ) from None


def _wait_before_repeat(error: HeadraceError, failures: int) -> float | None:
    """Seconds before the call is sent again; None if it must not be."""
    at_least = 0.0
    if isinstance(error, ProblemError):
        at_least = error.retry_after or 0.0
        if error.status not in _LATER or at_least > _LONGEST_WAIT:
            return None
    elif not isinstance(error, ServerUnreachableError):
        return None
    return wait_seconds(failures, at_least, random.random())


def _retry_after(text: str | None) -> float | None:
    """The header Retry-After in seconds. Headrace sends no dates."""
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None
