"""Stores progress of many endpoints together: never one round trip each under load.

While Redis answers one round of writes, the writes that come in wait and form the next round. A
round has one call of the script for each partition, and all calls are sent together.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from services.webhooks.partitions.leases import HeldPartition
from shared.runtime.tasks import cancel
from shared.webhooks.progress import ProgressStore, ProgressWrite

_MOST = 500
"""Writes in one call of the script: Redis does nothing else meanwhile, for some milliseconds."""


class _Waiting(NamedTuple):
    write: ProgressWrite
    stored: asyncio.Future[bool]


class ProgressWriter:
    """Writes in the order in which it was asked to."""

    def __init__(self, store: ProgressStore) -> None:
        self._store = store
        self._waiting: dict[HeldPartition, list[_Waiting]] = {}
        self._running: asyncio.Task[None] | None = None

    async def write(self, partition: HeldPartition, write: ProgressWrite) -> bool:
        """Store progress. False if the lease was lost: then nothing was stored.

        Raises redis-py's errors. Then the progress may be stored or not.
        """
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(partition, []).append(_Waiting(write, stored))
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="webhook-progress")
        return await stored

    async def aclose(self) -> None:
        """End the writes under way. Call it when nobody waits for one any more."""
        if self._running is not None:
            await cancel(self._running)

    async def _run(self) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, {}
                calls = [self._call(*each) for each in waiting.items()]
                await (calls[0] if len(calls) == 1 else asyncio.gather(*calls))
        finally:
            self._running = None

    async def _call(self, partition: HeldPartition, waiting: list[_Waiting]) -> None:
        for start in range(0, len(waiting), _MOST):
            part = waiting[start : start + _MOST]
            try:
                writes = [each.write for each in part]
                answer = await self._store.write(partition.number, partition.token, writes)
            except Exception as error:
                _set(part, error)
            else:
                if not answer:
                    partition.end()
                _set(part, answer)


def _set(waiting: list[_Waiting], answer: bool | Exception) -> None:
    for _, stored in waiting:
        if stored.done():  # its task was cancelled
            continue
        if isinstance(answer, Exception):
            stored.set_exception(answer)
        else:
            stored.set_result(answer)
