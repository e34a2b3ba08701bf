"""The events of a subscription, over as many connections as it takes: none lost, none twice.

There is no task in the background. The connection is read when the loop asks for the next event. So
a slow loop slows the server down, and everything that was returned before has been handled.

See docs/decisions/0107-python-client-reads-when-asked.md.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from headrace_client.errors import GapError, ResetError
from headrace_client.http import Http
from headrace_client.model.event import Event
from headrace_client.positions import is_after, position_key
from headrace_client.subscribe.cursors import CursorStore
from headrace_client.subscribe.frames import Connected, Frame, Sync
from headrace_client.subscribe.reconnect import Reconnector
from headrace_client.subscribe.state import State
from headrace_client.subscribe.subscription import Subscription

OnGap: TypeAlias = Callable[[GapError], Awaitable[None] | None]
OnReset: TypeAlias = Callable[[ResetError], Awaitable[None] | None]

SILENCE_SECONDS = 30.0
"""Two intervals of `sync`, which a server sends before a connection is silent for 15 s."""


@dataclass(frozen=True, slots=True)
class EventOptions:
    """How a subscription behaves. `Client.events` explains each option."""

    since: str | None = None
    cursor: CursorStore | None = None
    on_gap: OnGap | None = None
    on_reset: OnReset | None = None
    on_state: Callable[[State], None] | None = None
    silence_seconds: float = SILENCE_SECONDS

    def __post_init__(self) -> None:
        """Raises ValueError if an option cannot be right."""
        if self.since is not None:
            position_key(self.since)
        if self.silence_seconds <= 0:
            raise ValueError(f"silence_seconds: {self.silence_seconds} is not above 0")


class EventStream:
    """Iterates over the events. `position` is the position of the last one.

    An event counts as handled when the next one is asked for. Then the cursor is saved.
    After GapError and ResetError the iteration can go on: use the same object again.
    """

    def __init__(self, http: Http, subscription: Subscription, options: EventOptions) -> None:
        self.position: str | None = None
        self._options = options
        self._frames = Reconnector(
            http,
            subscription,
            silence_seconds=options.silence_seconds,
            on_state=options.on_state,
        )
        self._saved: str | None = None
        self._begun = False
        self._closed = False

    @property
    def state(self) -> State:
        """Whether it is connected."""
        return self._frames.state

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        if not self._begun:
            await self._begin()
        while not self._closed:
            await self.save()
            frame = await self._frames.frame(self.position)
            if isinstance(frame, Event):
                if self._moved(frame.id):
                    return frame
            else:
                await self._take(frame)
        raise StopAsyncIteration

    async def save(self) -> None:
        """Save the position now: the last event is handled. The loop does this by itself."""
        position = self.position
        if position is None or position == self._saved:
            return
        if self._options.cursor is not None:
            await self._options.cursor.save(position)
        self._saved = position

    async def aclose(self) -> None:
        """End the subscription. The last event does not count as handled by this."""
        self._closed = True
        self._frames.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _begin(self) -> None:
        cursor = self._options.cursor
        saved = await cursor.load() if cursor is not None else None
        if saved is not None:
            position_key(saved)  # raises ValueError, which says more than a reset by the server
        self._saved = saved
        self.position = self._options.since if saved is None else saved
        self._begun = True

    async def _take(self, frame: Frame | None) -> None:
        match frame:
            case Connected(position) if self.position is None:
                self.position = position
            case Sync(str(position)):
                self._moved(position)
            case GapError() as gap:
                back = self.position is not None and not is_after(gap.position, self.position)
                await self._lost(gap, self._options.on_gap, self.position if back else gap.position)
            case ResetError() as reset:
                await self._lost(reset, self._options.on_reset, reset.position)

    async def _lost(
        self,
        loss: GapError | ResetError,
        handler: Callable[[Any], Awaitable[None] | None] | None,
        position: str | None,
    ) -> None:
        """Tell the loss. Like an event, it is handled when the next event is asked for."""
        if handler is not None:
            try:
                result = handler(loss)
                if inspect.isawaitable(result):
                    await result
            except BaseException:
                self._frames.drop()  # a new connection brings the same loss again
                raise
        self.position = position
        if handler is None:
            raise loss

    def _moved(self, position: str) -> bool:
        """Move forward. False if that is no step forward: the event came before."""
        if self.position is not None and not is_after(position, self.position):
            return False
        self.position = position
        return True
