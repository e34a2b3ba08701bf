"""History: whether Horizon still has what follows a cursor, which it never says by itself.

It skips trimmed history without a word and waits for ever above its tip, so its root is asked:
now and then for both, and whenever a record does not follow closely on the one before.
"""

from __future__ import annotations

import time
from typing import Any

import aiohttp

from services.indexer.sources import Ledgers, SourceFatal
from services.indexer.sources.bounds import refuse, refuse_gap
from services.indexer.sources.http import JSON, get, ledger_hash, ledger_number, read_json
from shared.urls import joined

_EVERY = 10.0
"""Seconds between two looks at the root; each costs one of 3,600 requests an hour."""
_NOT_THERE = ("not_found", "before_history")


class History:
    """What Horizon's root and its ledgers say. `latest` is the last ledger known, 0 before that."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, passphrase: str, seconds: float
    ) -> None:
        self.latest = 0
        self._session = session
        self._url = url
        self._passphrase = passphrase
        self._timeout = aiohttp.ClientTimeout(total=seconds)
        self._asked_at = -_EVERY

    async def ledgers(self) -> Ledgers:
        """Ask the root. Raises SourceError, SourceFatal."""
        root = await self._read("/")
        if (theirs := root.get("network_passphrase")) != self._passphrase:
            raise SourceFatal("passphrase", f"Horizon is of {theirs!r}, not {self._passphrase!r}")
        found = Ledgers(
            *(ledger_number("Horizon", root, f"history_{end}_ledger") for end in Ledgers._fields)
        )
        self._asked_at = time.monotonic()
        self.latest = found.latest
        return found

    async def check(self, cursor: int) -> None:
        """Before a connection: that it begins where the last one ended."""
        if time.monotonic() - self._asked_at >= _EVERY:
            refuse("Horizon", cursor, await self.ledgers())

    async def check_jump(self, cursor: int) -> None:
        """After a record that left ledgers out: that those were empty, not trimmed."""
        refuse_gap("Horizon", cursor, await self.ledgers())

    async def hash_of(self, ledger: int) -> str | None:
        """A ledger's hash, None when it is not there. Raises SourceError."""
        try:
            document = await self._read(f"/ledgers/{ledger}")
        except SourceFatal as error:
            if error.kind in _NOT_THERE:
                return None
            raise
        return ledger_hash("Horizon", document, "hash")

    async def _read(self, path: str) -> dict[str, Any]:
        url = joined(self._url, path)
        async with get(self._session, url, self._timeout, JSON) as response:
            return await read_json(response)
