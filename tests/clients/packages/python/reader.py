"""Reads the events of a client in a task, as a program would, and keeps them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Self

from headrace_client import Client, Event, State

from tests.support.waiting import until


class Reader:
    """`async with Reader(client, all=True) as reader:` reads until the end of the block."""

    def __init__(self, client: Client, **options: Any) -> None:
        self.events: list[Event] = []
        self.states: list[State] = []
        self.stream = client.events(on_state=self.states.append, **options)
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for event in self.stream:
            self.events.append(event)

    @property
    def ids(self) -> list[str]:
        """The ids of the events, in the order in which they came."""
        return [event.id for event in self.events]

    @property
    def attempts(self) -> int:
        """The number of connections that were made or tried."""
        return len([state for state in self.states if state.status == "connecting"])

    @property
    def reasons(self) -> list[str]:
        """Why connections ended, or could not be made."""
        return [state.reason for state in self.states if state.status == "waiting"]

    async def live(self) -> Self:
        """Wait until it is connected: from then on it misses nothing."""
        await self._until(lambda: self.stream.state.status == "live", "a connection")
        return self

    async def has(self, position: str) -> None:
        """Wait for the event with this id."""
        await self._until(lambda: position in self.ids, f"event {position}")

    async def passed(self, position: str) -> None:
        """Wait until its position is this one."""
        await self._until(lambda: self.stream.position == position, f"position {position}")

    async def failed(self) -> BaseException:
        """Wait until it ends with an error."""
        await until(self._task.done, what="an error")
        error = self._task.exception()
        assert error
        return error

    async def _until(self, condition: Any, what: str) -> None:
        def done() -> bool:
            if self._task.done() and not self._task.cancelled() and (e := self._task.exception()):
                raise e
            return bool(condition())

        # The API redirects to a dead fanout too, and then the client waits longer each time.
        await until(done, seconds=90, what=lambda: f"{what}: {self.states[-3:]}")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await self._task
        await self.stream.aclose()
