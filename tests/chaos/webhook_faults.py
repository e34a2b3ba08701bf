"""Faults of dispatchers, and of receivers of webhooks."""

from __future__ import annotations

import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from tests.chaos.archive_faults import RESTORED
from tests.chaos.deletions import EMPTY, FLUSHED, FLUSHED_LATE
from tests.chaos.webhooks import DISPATCHERS, RECEIVERS
from tests.chaos.world import World
from tests.support.pace import last

NOT_WITH_WEBHOOKS = frozenset({FLUSHED, FLUSHED_LATE, EMPTY, RESTORED, "clock of Redis jumps"})
"""The first ones delete the webhooks too, and the archive does not have them
(docs/operations/webhooks.md). The last one moves the time of the next attempt."""


class WebhookFaults:
    """The faults."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self._world = world
        self._rng = rng

    def all(self) -> dict[str, Callable[[], Awaitable[str]]]:
        """The faults by the name in the table. Each returns the name of the part that was hit."""
        return {
            "SIGKILL of a dispatcher": lambda: self._end(DISPATCHERS, signal.SIGKILL),
            "SIGKILL of every dispatcher": self.kill_all,
            "SIGTERM of a dispatcher": lambda: self._end(DISPATCHERS, signal.SIGTERM),
            "dispatcher asleep": self.sleep,
            "SIGKILL of a receiver": lambda: self._end([*RECEIVERS], signal.SIGKILL),
            "receiver dies before its answer": self.die_at_work,
        }

    def _one_of(self, names: Sequence[str]) -> str | None:
        running = [name for name in names if name in self._world.running]
        return self._rng.choice(running) if running else None

    async def _end(self, names: Sequence[str], number: int) -> str:
        if name := self._one_of(names):
            await self._world.stop(name, number)
            self._world.restart_soon(name)
        return name or ""

    async def kill_all(self) -> str:
        """Kill both dispatchers. Their leases end by themselves."""
        for name in DISPATCHERS:
            if name in self._world.running:  # another fault may have ended it meanwhile
                await self._world.stop(name, signal.SIGKILL)
                self._world.restart_soon(name)
        return "all dispatchers"

    async def sleep(self) -> str:
        """Stop a dispatcher for longer than its leases. Then it goes on where it was."""
        if name := self._one_of(DISPATCHERS):
            process = self._world.running[name]
            process.signal(signal.SIGSTOP)
            await last(self._rng.uniform(4.5, 8.0))
            with suppress(ProcessLookupError):  # another fault has ended the process
                process.signal(signal.SIGCONT)
        return name or ""

    async def die_at_work(self) -> str:
        """Let a receiver die when it has done the work of a delivery, before it answers."""
        if name := self._one_of([*RECEIVERS]):
            process = self._world.running.pop(name)
            process.signal(signal.SIGUSR1)
            with suppress(TimeoutError):
                await process.ended(10)
            with suppress(ProcessLookupError):
                process.signal(signal.SIGKILL)
            await process.ended()
            self._world.restart_soon(name)
        return name or ""
