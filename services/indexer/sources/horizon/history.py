"""Find which ledgers Horizon has: read its root (`GET /`) and its list of ledgers.

Horizon's stream silently skips trimmed ledgers. If the cursor is above Horizon's last ledger, the
stream waits without an error. So the indexer reads the root before it connects, but at most once in
10 s. The root may be a second old; the list of ledgers is always current.

See docs/decisions/0041-trimmed-ledger-is-404-then-410.md.
"""

from __future__ import annotations

import time
from typing import Any

import aiohttp
import structlog

from services.indexer.sources.horizon.counting import PAGE, LedgerListing, parse_listing
from services.indexer.sources.ledger_range import check_available, cursor_before
from services.indexer.sources.rpc.span import LedgerSpan
from services.indexer.sources.upstream import UpstreamVersions
from services.indexer.sources.versions import horizon_version
from shared.chain.decode.records import MalformedError
from shared.chain.errors import FatalSourceError, SourceError
from shared.chain.http import (
    JSON,
    check_network,
    get,
    ledger_hash,
    ledger_number,
    read_json,
)
from shared.domain.position import LedgerRange
from shared.runtime.urls import append_path

log = structlog.get_logger()

_CHECK_SECONDS = 10.0
"""Seconds between two reads of the root. Horizon allows 3,600 requests an hour."""
_NOT_FOUND_KINDS = ("not_found", "before_history")


class HorizonHistory:
    """Reads Horizon's root and ledgers. `latest`: Horizon's last ledger, 0 if not known yet."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        passphrase: str,
        seconds: float,
        upstream: UpstreamVersions | None = None,
    ) -> None:
        self._upstream = upstream or UpstreamVersions()
        self.latest = 0
        self._session = session
        self._url = url
        self._passphrase = passphrase
        self._timeout = aiohttp.ClientTimeout(total=seconds)
        self._checked_at = -_CHECK_SECONDS
        self._span = LedgerSpan(PAGE)

    async def ledgers(self) -> LedgerRange:
        """Read the ledger range from the root. Raises SourceError, FatalSourceError."""
        root = await self._read("/")
        check_network("Horizon", root.get("network_passphrase"), self._passphrase)
        self._upstream.report(horizon_version(root))
        ledgers = LedgerRange(
            oldest=ledger_number("Horizon", root, "history_elder_ledger"),
            latest=ledger_number("Horizon", root, "history_latest_ledger"),
        )
        self.latest = ledgers.latest
        return ledgers

    async def check(self, cursor: int) -> None:
        """Before a connection, check that Horizon can continue at the cursor.

        Raises the errors of `check_available`.
        """
        if time.monotonic() - self._checked_at >= _CHECK_SECONDS:
            check_available("Horizon", cursor, await self.ledgers())
            # Not set after an error, so that the next check reads the root again.
            self._checked_at = time.monotonic()

    async def listing(self, first: int) -> LedgerListing:
        """Read Horizon's list of ledgers from `first` on, at most PAGE of them. Raises SourceError.

        If an answer took too long, the next request asks for fewer ledgers.
        """
        limit = self._span.ledgers
        try:
            document = await self._read(
                "/ledgers", cursor=cursor_before(first), order="asc", limit=limit
            )
        except SourceError as error:
            if error.is_too_large and self._span.failed(limit):
                log.warning(
                    "span_halved", ledger=first, ledgers=self._span.ledgers, error=str(error)
                )
            raise
        self._span.succeeded()
        try:
            return parse_listing(first, document)
        except MalformedError as error:
            raise SourceError("malformed", str(error)) from error

    async def hash_of(self, ledger: int) -> str | None:
        """Return a ledger's hash (hex); None if Horizon lacks the ledger. Raises SourceError."""
        try:
            document = await self._read(f"/ledgers/{ledger}")
        except FatalSourceError as error:
            if error.kind in _NOT_FOUND_KINDS:
                await self.ledgers()  # raises SourceError if the server has no ledger at all yet
                return None
            raise
        return ledger_hash("Horizon", document, "hash")

    async def _read(self, path: str, **query: int | str) -> dict[str, Any]:
        url = append_path(self._url, path, **query)
        async with get(self._session, url, self._timeout, JSON) as response:
            return await read_json(response)
