"""`headrace tail`: events as they arrive, and in plain words what happens to the connection."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from contextlib import suppress

import orjson

from headrace_client.cli.arguments import Arguments
from headrace_client.cli.lines import line, printable, token_of
from headrace_client.client import Client
from headrace_client.errors import (
    ForbiddenError,
    GapError,
    HeadraceError,
    NotFoundError,
    ProtocolError,
    ResetError,
    ServerUnreachableError,
    UnauthorizedError,
)
from headrace_client.model.answers import Token
from headrace_client.model.event import Event
from headrace_client.subscribe.cursors import FileCursor
from headrace_client.subscribe.events import EventStream
from headrace_client.subscribe.state import State

_TOKEN_SECONDS = 3.0
"""The longest time that an event waits for the name of its token."""
_AGAIN_SECONDS = 30.0
"""A token that was not known is asked for again after this time."""


async def tail(arguments: Arguments, token: str | None) -> int:
    """Show events until the end. Returns the exit code."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        async with Client(arguments.url, token=token) as client:
            await _check_server(client, arguments.url, token)
            await _Tail(client, arguments).run()
    except asyncio.CancelledError:
        return 0
    except HeadraceError as error:
        note(str(error))
        return _exit_code(error)
    return 0


def note(text: str) -> None:
    """Say something about the connection, beside the events."""
    print(f"headrace: {printable(text)}", file=sys.stderr, flush=True)


async def _check_server(client: Client, url: str, token: str | None) -> None:
    """Find out at once if the URL is wrong or a login is needed. Later, failures pass."""
    try:
        info = await client.info()
    except NotFoundError:
        raise ProtocolError(f"{url} is not a Headrace server: check the URL") from None
    if info.get("authMode") == "required" and token is None:
        document = {
            "type": "/problems/unauthorized",
            "detail": "This server needs a login: set HEADRACE_TOKEN",
        }
        raise UnauthorizedError(401, document)


def _exit_code(error: HeadraceError) -> int:
    match error:
        case UnauthorizedError() | ForbiddenError():
            return 3
        case ServerUnreachableError() | ProtocolError():
            return 4
    return 1


class _Tail:
    """Prints the events of one run."""

    def __init__(self, client: Client, arguments: Arguments) -> None:
        self._client = client
        self._arguments = arguments
        self._tokens: dict[str, tuple[Token, float]] = {}
        self._was_live = False
        self._reason = ""

    async def run(self) -> None:
        """Print until the number of events is reached."""
        left = self._arguments.count
        async with self._events() as events:
            async for event in events:
                print(await self._text(event), flush=True)
                if left is not None and (left := left - 1) == 0:
                    await events.save()
                    return

    def _events(self) -> EventStream:
        wanted, arguments = self._arguments.subscription, self._arguments
        return self._client.events(
            streams=wanted.streams,
            users=wanted.users,
            all=wanted.all,
            types=wanted.types,
            since=arguments.since,
            cursor=FileCursor(arguments.cursor) if arguments.cursor else None,
            on_gap=self._gap,
            on_reset=self._reset,
            on_state=self._state,
        )

    async def _text(self, event: Event) -> str:
        if self._arguments.json:
            return orjson.dumps(event.data).decode()
        address = token_of(event)
        return line(event, await self._token(address) if address else None)

    async def _token(self, address: str) -> Token:
        """What is known of a token. If the API does not answer soon, base units are shown."""
        token, again_at = self._tokens.get(address, (Token(address), 0.0))
        if time.monotonic() >= again_at:
            with suppress(HeadraceError, TimeoutError):
                async with asyncio.timeout(_TOKEN_SECONDS):
                    token = await self._client.token(address)
            known = token.decimals is not None
            again_at = float("inf") if known else time.monotonic() + _AGAIN_SECONDS
            self._tokens[address] = token, again_at
        return token

    def _gap(self, gap: GapError) -> None:
        self._told({"type": "gap", "from": gap.after, "to": gap.to}, str(gap))

    def _reset(self, reset: ResetError) -> None:
        self._told(
            {"type": "reset", "position": reset.position, "reason": reset.reason}, str(reset)
        )

    def _told(self, document: dict[str, str], text: str) -> None:
        if self._arguments.json:
            print(orjson.dumps(document).decode(), flush=True)
        note(f"{document['type']}: {text}")

    def _state(self, state: State) -> None:
        """Say once why the connection ended, and when there is a new one."""
        if state.status == "waiting" and state.reason != self._reason:
            note(f"{state.reason}; connecting again in {state.wait_seconds:.1f} s")
        if state.status == "live" and (self._reason or not self._was_live):
            note("connected again" if self._was_live else f"connected to {self._arguments.url}")
        if state.status != "connecting":
            self._reason, self._was_live = state.reason, self._was_live or state.status == "live"
