"""Streams whose state is right at each moment: a snapshot, joined with the events after it.

The position of the snapshot is read before its streams. So an event after it can be older than what
the snapshot shows. The versions of the streams tell which one is newer.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, Self, TypeAlias

from headrace_client.api import Api
from headrace_client.backoff import DEFAULT_RETRY, wait_seconds
from headrace_client.errors import GapError, HeadraceError, ResetError
from headrace_client.http import Http, can_come_later
from headrace_client.login import account
from headrace_client.model.event import Event
from headrace_client.model.filters import StreamFilters
from headrace_client.model.stream import Stream
from headrace_client.positions import is_after
from headrace_client.subscribe.events import EventOptions, EventStream
from headrace_client.subscribe.state import State
from headrace_client.subscribe.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Loaded:
    """All streams were loaded: at the start, or again after a gap or a reset."""

    reason: Literal["start", "gap", "reset"]
    position: str


@dataclass(frozen=True, slots=True)
class Changed:
    """An event, and the current state of its stream.

    `stream` is None if the event shows none. It is not in `streams` any more if it has left the
    subscription, for example because it has another recipient.
    """

    event: Event
    stream: Stream | None


Step: TypeAlias = Loaded | Changed


class FollowedStreams:
    """Iterates over the steps, first Loaded, then Changed for each event after that position."""

    def __init__(
        self, api: Api, http: Http, subscription: Subscription, options: EventOptions
    ) -> None:
        self._api = api
        self._http = http
        self._subscription = subscription
        self._options = options
        self._streams: dict[str, Stream] = {}
        self._versions: dict[str, int] = {}
        self._events: EventStream | None = None
        self._position = ""
        self._reload: Literal["start", "gap", "reset"] | None = "start"
        self._closed = False

    @property
    def streams(self) -> Mapping[str, Stream]:
        """The current streams by id. It shows later changes too: copy it if you need a picture."""
        return MappingProxyType(self._streams)

    @property
    def state(self) -> State:
        """Whether it is connected."""
        return self._events.state if self._events else State()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Step:
        while not self._closed:
            if self._reload:
                return await self._load(self._reload)
            assert self._events is not None
            try:
                event = await anext(self._events)
            except GapError:
                self._reload = "gap"
            except ResetError:
                self._reload = "reset"
            else:
                if is_after(event.id, self._position):
                    return Changed(event, self._apply(event))
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End it."""
        self._closed = True
        if self._events is not None:
            await self._events.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _load(self, reason: Literal["start", "gap", "reset"]) -> Loaded:
        """Load all streams. Repeated until the server answers or refuses."""
        await self._resolve()
        position, streams = await self._snapshot()
        self._position, self._reload = position, None
        self._streams.clear()
        self._versions = {stream.id: stream.version for stream in streams}
        self._streams.update({s.id: s for s in streams if self._subscription.includes(s)})
        if self._events is None:
            options = replace(self._options, since=position)
            self._events = EventStream(self._http, self._subscription, options)
        return Loaded(reason, position)

    async def _snapshot(self) -> tuple[str, list[Stream]]:
        failures = 0
        while True:
            try:
                return await self._read_all()
            except HeadraceError as error:
                if not can_come_later(error):
                    raise
            failures += 1
            await asyncio.sleep(wait_seconds(failures, DEFAULT_RETRY, random.random()))

    async def _resolve(self) -> None:
        """Name the account of the token, if the subscription names nothing. Raises ValueError."""
        if self._subscription.is_own:
            own = account(await self._http.login.token() or "")
            if own is None:
                raise ValueError("the token does not tell its account: name users or streams")
            self._subscription = replace(self._subscription, users=(own,))

    async def _read_all(self) -> tuple[str, list[Stream]]:
        """All streams, and the position of the first read: no later event is missed."""
        position, newest = "", dict[str, Stream]()
        async for read_at, stream in self._reads():
            position = position or read_at
            if stream and (stream.id not in newest or stream.version > newest[stream.id].version):
                newest[stream.id] = stream
        return position, list(newest.values())

    async def _reads(self) -> AsyncIterator[tuple[str, Stream | None]]:
        """Each stream of the subscription with the position before it was read."""
        wanted = self._subscription
        for stream_id in wanted.streams:
            stream, position = await self._api.stream_at(stream_id)
            yield position, stream
        filters: list[StreamFilters] = [{"sender": user} for user in wanted.users]
        filters += [{"recipient": user} for user in wanted.users]
        for given in [{}] if wanted.all else filters:
            async for page in self._api.stream_pages(**given):
                yield page.position, None  # a page can be empty
                for stream in page.items:
                    yield page.position, stream

    def _apply(self, event: Event) -> Stream | None:
        """Bring `streams` up to date. Returns the current state of the event's stream."""
        stream = event.stream
        if stream is None:
            return self._streams.get(event.stream_id or "")
        if stream.version <= self._versions.get(stream.id, 0):  # the snapshot was newer
            return self._streams.get(stream.id)
        self._versions[stream.id] = stream.version
        if self._subscription.includes(stream):
            self._streams[stream.id] = stream
        else:
            self._streams.pop(stream.id, None)
        return stream
