"""History: whether Horizon still has what follows a cursor, which it never says by itself.

It skips trimmed history without a word and waits for ever above its tip, so its root is asked:
now and then for both, and whenever a record does not follow closely on the one before.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import aiohttp

from services.indexer import metrics
from services.indexer.sources import SourceError, SourceFatal
from services.indexer.sources.http import JSON, get, read_json
from shared.positions import toid

_EVERY = 10.0
"""Seconds between two looks at the root; each costs one of 3,600 requests an hour."""
_LAG = 1_000
"""Ledgers that one of several servers may lag behind another; a reset goes back by far more."""


class Ledgers(NamedTuple):
    """The first and the last ledger that Horizon has."""

    elder: int
    latest: int


class History:
    """What Horizon's root says."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, passphrase: str, seconds: float
    ) -> None:
        self._session = session
        self._url = f"{url}/"
        self._passphrase = passphrase
        self._timeout = aiohttp.ClientTimeout(total=seconds)
        self._asked_at = -_EVERY

    async def ledgers(self) -> Ledgers:
        """Ask the root. Raises SourceError, SourceFatal."""
        async with get(self._session, self._url, self._timeout, JSON) as response:
            root = await read_json(response)
        if (theirs := root.get("network_passphrase")) != self._passphrase:
            raise SourceFatal("passphrase", f"Horizon is of {theirs!r}, not {self._passphrase!r}")
        found = Ledgers(*(_number(root, f"history_{end}_ledger") for end in Ledgers._fields))
        self._asked_at = time.monotonic()
        metrics.NETWORK_LEDGER.set(found.latest)
        return found

    async def check(self, cursor: int) -> None:
        """Before a connection: that it begins where the last one ended."""
        if time.monotonic() - self._asked_at < _EVERY:
            return
        found = await self.ledgers()
        self._refuse_gap(cursor, found)
        ahead = (cursor >> 32) - found.latest
        if ahead > _LAG:
            raise SourceFatal("reset", _AHEAD.format(cursor >> 32, found.latest))
        if ahead > 1:  # START=latest begins one ledger ahead
            raise SourceError("behind", _AHEAD.format(cursor >> 32, found.latest))

    async def check_jump(self, cursor: int) -> None:
        """After a record that left ledgers out: that those were empty, not trimmed."""
        self._refuse_gap(cursor, await self.ledgers())

    def _refuse_gap(self, cursor: int, found: Ledgers) -> None:
        if cursor < toid(found.elder):
            read = cursor >> 32
            raise SourceFatal("gap", f"read up to ledger {read}, Horizon begins at {found.elder}")


_AHEAD = "read up to ledger {}, Horizon ends at {}"


def _number(root: dict[str, object], name: str) -> int:
    match root.get(name):
        case int(number) if 0 <= number < 1 << 31:
            return number
    raise SourceError("malformed", f"Horizon's root has no ledger's number {name!r}")
