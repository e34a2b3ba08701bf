"""The client: events, streams that follow them, and the calls of the API."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Self
from urllib.request import getproxies

import aiohttp

from headrace_client.api import Api
from headrace_client.follow import FollowedStreams
from headrace_client.http import Http
from headrace_client.login import Login, RenewToken
from headrace_client.subscribe.cursors import CursorStore
from headrace_client.subscribe.events import (
    SILENCE_SECONDS,
    EventOptions,
    EventStream,
    OnGap,
    OnReset,
)
from headrace_client.subscribe.state import State
from headrace_client.subscribe.subscription import subscription_of
from headrace_client.version import USER_AGENT


class Client(Api):
    """A client of the Headrace server at `url`.

        async with Client("https://headrace.example", token="…") as client:
            async for event in client.events(users=["G…"]):
                print(event.type, event.stream_id)

    `token` is a token or an API key, or an async function that returns a new token. The function is
    called before the first request, shortly before a token ends, and when the server refuses one.
    `timeout` is for calls of the API, in seconds. A `session` of yours is not closed.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | RenewToken | None = None,
        timeout: float = 30.0,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        self._own_session = session is None
        # aiohttp starts a thread for each request with trust_env, so only if there is a proxy.
        self._session = session or aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": USER_AGENT},
            trust_env=bool(getproxies()),
        )
        super().__init__(Http(url, Login(token), self._session, timeout=timeout))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        if self._own_session:
            await self._session.close()

    def events(
        self,
        *,
        streams: Iterable[str | int] = (),
        users: Iterable[str] = (),
        all: bool = False,  # noqa: A002 - the name of the parameter in the API
        types: Iterable[str] = (),
        since: str | None = None,
        cursor: CursorStore | None = None,
        on_gap: OnGap | None = None,
        on_reset: OnReset | None = None,
        on_state: Callable[[State], None] | None = None,
        compact: bool = False,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> EventStream:
        """Events of these streams and accounts, or all events: each once, for as long as you ask.

        With a token you can leave out all three: then you get the events of its account.

        After every end of a connection it connects again and continues.

        `since`: begin after this position, by default now. "0-0" is before the first event of all,
        so there is a gap if the oldest events are no longer kept.
        `cursor`: keeps the position up to which the events are handled. If it has one, this one
        counts, not `since`.
        `on_gap`, `on_reset`: called when events are missing, or the state may be wrong. Then the
        events go on. Without them the loop gets GapError or ResetError.
        `on_state`: called when the connection changes.
        `compact`: events without the state of their stream. They are half as large.
        `silence_seconds`: a connection that brings nothing for so long is replaced.

        Raises ValueError and TypeError at once; the loop raises HeadraceError.
        """
        wanted = subscription_of(
            streams, users, all=all, types=types, compact=compact, with_token=self._http.login.given
        )
        options = EventOptions(
            since=since,
            cursor=cursor,
            on_gap=on_gap,
            on_reset=on_reset,
            on_state=on_state,
            silence_seconds=silence_seconds,
        )
        return EventStream(self._http, wanted, options)

    def follow(
        self,
        *,
        streams: Iterable[str | int] = (),
        users: Iterable[str] = (),
        all: bool = False,  # noqa: A002 - the name of the parameter in the API
        on_state: Callable[[State], None] | None = None,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> FollowedStreams:
        """The current state of these streams: loaded once, then kept up to date by the events.

        With a token, `users` is its account if you name nothing; with an API key, name something.
        Iterate over the result; its `streams` is the state after each step. After a gap or a reset
        the state is loaded again.
        """
        options = EventOptions(on_state=on_state, silence_seconds=silence_seconds)
        wanted = subscription_of(streams, users, all=all, with_token=self._http.login.given)
        return FollowedStreams(self, self._http, wanted, options)
