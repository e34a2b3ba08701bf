"""A store that is slow or fails: before a write, after it (its answer is lost), or for a while."""

from __future__ import annotations

import random
from collections.abc import Callable

from shared.archive.errors import ArchiveUnavailableError
from shared.archive.store import ArchiveStore
from tests.support.pace import last


class FaultyStore(ArchiveStore):
    """Fails `rate` of all writes, and each takes up to `seconds` more.

    `on_write` is called before each write that succeeds.
    """

    def __init__(self, url: str, prefix: str, *, seed: int = 1, rate: float = 0.0) -> None:
        super().__init__(url, prefix)
        self.rate = rate
        self.seconds = 0.0
        self.on_write: Callable[[str], None] = lambda _: None
        self._random = random.Random(seed)

    async def _fail(self, path: str) -> None:
        if self.seconds:
            await last(self._random.random() * self.seconds)
        if self._random.random() < self.rate:
            raise ArchiveUnavailableError(f"{path}: the test wants this")

    async def put(self, path: str, data: bytes) -> None:
        await self._fail(path)
        self.on_write(path)
        await super().put(path, data)
        await self._fail(path)

    async def create(self, path: str, data: bytes) -> None:
        await self._fail(path)
        self.on_write(path)
        await super().create(path, data)
        await self._fail(path)
