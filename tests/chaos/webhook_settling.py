"""The end of a run with webhooks: wait until each receiver has all events of the journal.

A receiver that failed for a minute is tried again after up to two minutes (exponential waits). At
the end, the test does what an owner does who knows that the receiver works again: it asks for the
next attempt now, with PATCH and `enabled: true`. It asks only if the stored progress names a time
that is far away. A dispatcher that forgot an endpoint gets no such help, so it is noticed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

import aiohttp
from redis.exceptions import RedisError

from shared.journal.wire import JournalEntry
from shared.webhooks.progress import Progress, ProgressStore
from tests.chaos.checker import Kind, Violation
from tests.chaos.tokens import token
from tests.chaos.webhook_check import ids_of
from tests.chaos.webhooks import DISPATCHERS, RECEIVERS, ChaosWebhooks
from tests.chaos.world import APIS, KEYS, World
from tests.support.pace import last

_SETTLE = 90.0
"""A receiver that gets nothing new for so many seconds has not recovered."""
_PAUSE = 1.0
"""Seconds between two looks: a receiver's records are long, and reading them needs a CPU."""
_FAR_SECONDS = 15.0
"""The next attempt is asked for if it is later than that. All earlier ones are waited for."""
_SHOWN = 5
"""Lines of the receiver and of each dispatcher in a violation."""


class WebhookSettling:
    """Waits for the receivers of one world."""

    def __init__(self, world: World, webhooks: ChaosWebhooks) -> None:
        self._world = world
        self._webhooks = webhooks
        self._store = ProgressStore(world.redis, KEYS)
        self._asked = dict.fromkeys(RECEIVERS, 0)

    async def settle(self, journal: Sequence[JournalEntry]) -> list[Violation]:
        """Wait for all receivers. Returns a violation for each that does not get everything."""
        ids = {entry.position for entry in journal}
        found = await asyncio.gather(*(self._settle(name, ids) for name in RECEIVERS))
        return [each for each in found if each]

    async def _settle(self, name: str, ids: set[str]) -> Violation | None:
        missing, since = ids - self._ids(name), time.monotonic()
        while missing and time.monotonic() - since < _SETTLE:
            await self._hasten(name)
            await last(_PAUSE)
            still = missing - self._ids(name)
            since = time.monotonic() if len(still) < len(missing) else since
            missing = still
        if not missing:
            return None
        return Violation(Kind.STUCK, name, f"{len(missing)} events", (*await self._story(name),))

    def _ids(self, name: str) -> set[str]:
        return ids_of(self._webhooks.records(name))

    async def _hasten(self, name: str) -> None:
        """Ask for the next attempt, if it is far away."""
        progress = await self._progress(name)
        if progress and (progress.retry_at or 0.0) - time.time() > _FAR_SECONDS:
            self._asked[name] += 1
            await self._enable(name)

    async def _enable(self, name: str) -> None:
        """PATCH the webhook, as its owner does. The caller repeats it if no API answers."""
        port = self._world.proxies["clients", APIS[self._asked[name] % len(APIS)]].port
        url = f"http://127.0.0.1:{port}/v1/webhooks/{self._webhooks.ids[name]}"
        given = token(name, scope="admin", at=time.time(), name=f"owner-{name}")
        headers = {"Authorization": f"Bearer {given}"}
        with suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with self._world.session.patch(
                url, json={"enabled": True}, headers=headers
            ) as answer:
                await answer.read()

    async def _progress(self, name: str) -> Progress | None:
        own = self._webhooks.ids[name]
        try:
            return (await self._store.load([own])).get(own)
        except (RedisError, OSError):
            return None

    async def _story(self, name: str) -> list[str]:
        """What a developer needs: the progress, the receiver's records, the dispatchers' logs."""
        lines = [f"{self._webhooks.ids[name]}: {await self._progress(name)}"]
        lines += [f"now {time.time():.3f}, asked {self._asked[name]} times to be tried again"]
        recent = self._webhooks.records(name)[-_SHOWN:]
        lines += [f"{name}: {each.kind} {each.id}" for each in recent]
        for dispatcher in DISPATCHERS:
            if process := self._world.running.get(dispatcher):
                lines += [f"{dispatcher}: {line}" for line in process.log[-_SHOWN:]]
        return lines
