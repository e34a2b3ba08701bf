"""Frames from one connection after another: waits between them, renewal of the token."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import replace

from headrace_client.backoff import DEFAULT_RETRY, wait_seconds
from headrace_client.errors import ProblemError, ServerUnreachableError
from headrace_client.http import NETWORK_ERRORS, Http, can_come_later
from headrace_client.login import API_KEY_PREFIX
from headrace_client.subscribe.connection import Connection, ConnectionEnded, open_connection
from headrace_client.subscribe.frames import (
    Connected,
    Ending,
    Frame,
    Sync,
    TokenExpiring,
    frame_of,
)
from headrace_client.subscribe.state import State
from headrace_client.subscribe.subscription import Subscription

log = logging.getLogger("headrace_client")

_RENEWAL_SECONDS = 60.0
"""Renew once in this time: with a short-lived token, `token_expiring` comes again at once."""


class Reconnector:
    """Reads the frames of a subscription, and connects again after each end of a connection."""

    def __init__(
        self,
        http: Http,
        subscription: Subscription,
        *,
        silence_seconds: float,
        on_state: Callable[[State], None] | None,
    ) -> None:
        self.state = State()
        self._http = http
        self._query = subscription.query()
        self._silence = silence_seconds
        self._on_state = on_state
        self._connection: Connection | None = None
        self._failures = 0  # connections in a row that brought nothing
        self._retry = DEFAULT_RETRY
        self._not_before = 0.0  # by the event loop's clock
        self._renewed_at = float("-inf")

    async def frame(self, position: str | None) -> Frame | None:
        """The next frame; None if it was about the connection alone. May be cancelled.

        A new connection continues after `position`. Raises HeadraceError for what does not pass by
        itself, and what the login's function raises.
        """
        connection = self._connection
        if connection is None:
            connection = self._connection = await self._connect(position)
        try:
            frame = frame_of(await connection.read())
        except ConnectionEnded as error:
            self._wait(str(error))
            return None
        except Exception:
            self.drop()
            raise
        self._retry = self._retry if connection.retry is None else connection.retry
        return await self._about_connection(connection, frame)

    def drop(self) -> None:
        """Close the connection. The next call of `frame` makes a new one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def close(self) -> None:
        """Close for good."""
        self.drop()
        self._tell(State("closed"))

    async def _about_connection(self, connection: Connection, frame: Frame | None) -> Frame | None:
        match frame:
            case Connected():
                self._failures = 0
                self._tell(replace(self.state, status="live", reason="", wait_seconds=0.0))
            case Sync(_, ledger, lag):
                self._tell(replace(self.state, ledger=ledger, lag_seconds=lag))
            case Ending(name, reason, retry):
                self._wait(f"{name}: {reason}", retry, failed=name == "overload")
                return None
            case TokenExpiring():
                await self._renew(connection)
                return None
        return frame

    async def _connect(self, position: str | None) -> Connection:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.0, self._not_before - loop.time()))
            self._tell(replace(self.state, status="connecting", wait_seconds=0.0))
            try:
                return await open_connection(self._http, self._query, position, self._silence)
            except (ConnectionEnded, ServerUnreachableError) as error:
                self._wait(str(error), failed=True)
            except ProblemError as error:
                if not can_come_later(error):
                    raise
                self._wait(str(error), error.retry_after, failed=True)

    def _wait(self, reason: str, retry: float | None = None, *, failed: bool = False) -> None:
        """Close the connection, and decide when the next one is made."""
        self.drop()
        self._failures += failed
        at_least = self._retry if retry is None else retry
        seconds = wait_seconds(self._failures, at_least, random.random())
        self._not_before = asyncio.get_running_loop().time() + seconds
        log.info("connection ended (%s); the next one in %.1f s", reason, seconds)
        self._tell(replace(self.state, status="waiting", reason=reason, wait_seconds=seconds))

    async def _renew(self, connection: Connection) -> None:
        """Connect at once with a new token. Without one, this connection goes on to its end."""
        now = asyncio.get_running_loop().time()
        if now - self._renewed_at < _RENEWAL_SECONDS:
            return
        self._renewed_at = now
        by_ticket = (connection.token or "").startswith(API_KEY_PREFIX)
        try:
            token = await self._http.login.renew(connection.token)
        except NETWORK_ERRORS as error:
            log.warning("the token could not be renewed: %s", error)
            return
        if by_ticket or token != connection.token:
            self.drop()
            self._not_before = now

    def _tell(self, state: State) -> None:
        self.state = state
        if self._on_state is not None:
            self._on_state(state)
