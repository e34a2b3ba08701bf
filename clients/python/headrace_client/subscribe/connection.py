"""One connection of a subscription: opens it, and reads its messages."""

from __future__ import annotations

import asyncio
from collections import deque

import aiohttp
from yarl import URL

from headrace_client.errors import ProtocolError, UnauthorizedError
from headrace_client.http import NETWORK_ERRORS, Http, Query, authorization, describe, refusal
from headrace_client.login import API_KEY_PREFIX
from headrace_client.subscribe.sse import Message, SseParser

PATH = "/v1/events/subscribe"

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_NO_LIMIT = aiohttp.ClientTimeout(total=None)


class ConnectionEnded(Exception):
    """The connection was lost, or none could be made. A new one can continue after the last id."""


class Connection:
    """An open subscription. `token` is the token that it was opened with."""

    def __init__(
        self, response: aiohttp.ClientResponse, token: str | None, silence_seconds: float
    ) -> None:
        self.token = token
        self._response = response
        self._silence = silence_seconds
        self._parser = SseParser()
        self._messages: deque[Message] = deque()

    @property
    def retry(self) -> float | None:
        """Seconds that the server asks clients to wait before they reconnect."""
        return None if self._parser.retry is None else self._parser.retry / 1000

    async def read(self) -> Message:
        """The next message. Raises ConnectionEnded and ProtocolError. May be cancelled."""
        while not self._messages:
            self._messages.extend(self._parser.feed(await self._chunk()))
        return self._messages.popleft()

    def close(self) -> None:
        """Close the connection."""
        self._response.close()

    async def _chunk(self) -> bytes:
        try:
            async with asyncio.timeout(self._silence):
                chunk = await self._response.content.readany()
        except TimeoutError:
            raise ConnectionEnded(f"no data for {self._silence:g} seconds") from None
        except NETWORK_ERRORS as error:
            raise ConnectionEnded(describe(error)) from error
        if not chunk:
            raise ConnectionEnded("the server closed the connection")
        return chunk


async def open_connection(
    http: Http, query: Query, last_id: str | None, silence_seconds: float
) -> Connection:
    """Subscribe, and continue after `last_id`. After 401, once more with a new token.

    Raises ConnectionEnded, HeadraceError, and what the login's function raises.
    """
    token = await _token(http)
    try:
        return await _open(http, query, last_id, token, silence_seconds)
    except UnauthorizedError:
        renewed = await _token(http, old=token)
        if renewed == token:
            raise
        return await _open(http, query, last_id, renewed, silence_seconds)


async def _token(http: Http, *, old: str | None = None) -> str | None:
    try:
        return await (http.login.renew(old) if old else http.login.token())
    except NETWORK_ERRORS as error:
        raise ConnectionEnded(f"no new token: {describe(error)}") from error


async def _open(
    http: Http, query: Query, last_id: str | None, token: str | None, silence_seconds: float
) -> Connection:
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
    if last_id:
        headers["Last-Event-ID"] = last_id
    try:
        async with asyncio.timeout(silence_seconds):
            response = await _get(http, query, headers, token)
            if response.status != 200:
                raise refusal(response, await response.read())
    except TimeoutError:
        raise ConnectionEnded(f"no answer within {silence_seconds:g} seconds") from None
    except NETWORK_ERRORS as error:
        raise ConnectionEnded(describe(error)) from error
    if response.content_type != "text/event-stream":
        response.close()
        raise ProtocolError(
            f"{response.url.origin()}{response.url.path} answered with {response.content_type}, "
            "expected text/event-stream: check the URL"
        )
    return Connection(response, token, silence_seconds)


async def _get(
    http: Http, query: Query, headers: dict[str, str], token: str | None
) -> aiohttp.ClientResponse:
    """The response of the fanout. An API without a gateway redirects to one.

    A token goes only to the server that the client was made for. Another server gets a ticket,
    which is valid once and for 30 s. An API key needs a ticket too, as only the API knows it.
    """
    url = http.url(PATH, query)
    if token and token.startswith(API_KEY_PREFIX):
        url = await _with_ticket(http, url)
    elif token:
        headers |= authorization(token)
    for _ in range(_MOST_REDIRECTS):
        response = await http.session.get(
            url, headers=headers, allow_redirects=False, timeout=_NO_LIMIT
        )
        location = response.headers.get("Location")
        if response.status not in _REDIRECTS or not location:
            return response
        response.close()
        target = url.join(URL(location))
        if (url.scheme, target.scheme) == ("https", "http"):
            raise ProtocolError(f"{url.origin()} redirects to a server without TLS: check the URL")
        if target.origin() != url.origin() and headers.pop("Authorization", ""):
            target = await _with_ticket(http, target)
        url = target
    raise ProtocolError(f"{http.base.origin()} redirects again and again: check the URL")


async def _with_ticket(http: Http, url: URL) -> URL:
    answer = await http.call("POST", "/v1/events/ticket")
    return url.update_query(ticket=answer.document["ticket"])
