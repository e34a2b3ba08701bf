"""The use cases of streams, by the rules of shared.domain.commands.

Times are Unix seconds. Accrued amounts are computed for the time of Redis' clock (API streams), or
for the close time of the last ledger that was read (chain streams).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import orjson

from services.api.auth.permissions import require_party, require_read
from services.api.errors import (
    AlreadyDoneError,
    ApiError,
    ChainOwnedError,
    PermissionDeniedError,
    StaleVersionError,
    StreamNotFoundError,
    StreamQuotaError,
    WritesSuspendedError,
)
from services.api.http.idempotency import IdempotencyKey
from services.api.http.page_cursor import encode_cursor
from services.api.streams.actions import StreamAction
from services.api.streams.clock import StreamClock
from services.api.streams.ids import new_stream_id
from services.api.streams.listing import StreamListing
from services.api.streams.schemas import CreateStream, ListQuery
from services.api.streams.stored_responses import StoredResponses
from services.api.tokens.directory import TokenDirectory
from shared.archive.waiting import ArchiveWait
from shared.auth.principal import ANYONE, Principal
from shared.domain import commands
from shared.domain.events import Event, Origin
from shared.domain.position import parse_position
from shared.domain.stream import Stream
from shared.domain.topics import is_stream_id
from shared.journal.commit import CommitResult, Committer, Decide
from shared.journal.commit_errors import ContentionError, QuotaExceededError
from shared.journal.plan import IndexLimit
from shared.journal.reader import Journal, JournalTip
from shared.journal.stream_document import stream_document, with_claimable
from shared.journal.streams import StoredStream
from shared.redis.clock import Clock
from shared.runtime.metrics import COMMITS, CommitOutcome

Document: TypeAlias = dict[str, object]
Versions: TypeAlias = frozenset[int] | None
"""The versions that If-Match allows; None allows every version."""


class CurrentDocument(NamedTuple):
    """The JSON document of a stream, with the amount that is claimable now."""

    version: int
    json: bytes


class StreamService:
    """The streams of one namespace."""

    def __init__(
        self,
        committer: Committer,
        journal: Journal,
        listing: StreamListing,
        clock: Clock,
        unsafe_reason: Callable[[], str | None],
        *,
        tokens: TokenDirectory,
        archive: ArchiveWait,
    ) -> None:
        """`unsafe_reason` returns the reason why nothing may be changed now, or None."""
        self._archive = archive
        self._unsafe_reason = unsafe_reason
        self._tokens = tokens
        self._committer = committer
        self._journal = journal
        self._listing = listing
        self._clock = clock
        self._stream_clock = StreamClock(clock)
        self._responses = StoredResponses(journal, committer.streams, archive)

    async def create(
        self,
        request: CreateStream,
        key: IdempotencyKey | None = None,
        limit: IndexLimit | None = None,
    ) -> Document:
        """Create a stream of the API. Returns the same document as GET.

        Raises CommandRefusedError, StreamQuotaError above `limit`, and the errors of `act` for a
        change that is impossible now.
        """
        now = self._clock()
        stream_id = new_stream_id(now)
        start = int(now) if request.start_time is None else request.start_time
        events = commands.create(
            stream_id=stream_id,
            sender=request.sender,
            recipient=request.recipient,
            token=request.token_address,
            rate=request.rate_per_second,
            deposited=request.deposited_amount,
            start_time=start,
            now=int(now),
            metadata=request.metadata.facts(),
            ask=True,
        )
        try:
            return await self._commit(stream_id, lambda _: events, key, limit, fresh=True)
        except QuotaExceededError as full:
            raise StreamQuotaError(request.sender, full.most) from full

    async def get(self, stream_id: str, by: Principal = ANYONE) -> tuple[CurrentDocument, str]:
        """One stream, and the top of the journal just before the stream was read.

        Raises StreamNotFoundError, PermissionDeniedError.
        """
        if not is_stream_id(stream_id):
            raise StreamNotFoundError(stream_id)
        found, tip = await self._committer.streams.document_and_tip(stream_id)
        require_read(by, stream_id, found.stream if found else None)
        assert found
        return CurrentDocument(found.stream.version, self._current(found, tip)), str(tip.top)

    def require_writable(self) -> None:
        """Raise WritesSuspendedError while Redis or its data cannot be trusted."""
        if reason := self._unsafe_reason():
            raise WritesSuspendedError(f"{reason}; nothing was changed")

    async def parties(self, stream_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Sender and recipient of each stream; () for an unknown stream."""
        streams = await self._committer.streams.find(stream_ids)
        return {i: (s.sender, s.recipient) if s else () for i, s in streams.items()}

    async def page(self, query: ListQuery) -> Document:
        """A page of streams, their tokens, and the position to subscribe from."""
        # Read the tip first. So a client that subscribes from the tip gets an event for each change
        # after this read.
        tip = await self._journal.tip()
        page = await self._listing.page(
            query.indexes(),
            after=query.cursor,
            limit=query.limit,
            newest_first=query.order == "desc",
            by_latest_change=query.sort == "updated",
            acceptance=query.unindexed(),
        )
        return {
            "items": [orjson.Fragment(self._current(each, tip)) for each in page.streams],
            "tokens": await self._tokens.of([each.stream.token for each in page.streams]),
            "total": page.total,
            "next": encode_cursor(page.last) if page.last else None,
            "position": str(tip.top),
        }

    async def act(
        self,
        stream_id: str,
        action: StreamAction,
        versions: Versions = None,
        key: IdempotencyKey | None = None,
        by: Principal = ANYONE,
    ) -> Document:
        """Do an action on a stream. Returns the stream after the action.

        Raises StreamNotFoundError, PermissionDeniedError, ChainOwnedError, StaleVersionError or
        CommandRefusedError if the client may not do this action. Raises WritesSuspendedError,
        ContentionError or JournalBehindError if the API cannot change anything now, and
        NotArchivedError if the archive does not have the change in time.
        """
        if not is_stream_id(stream_id):
            raise StreamNotFoundError(stream_id)

        def decide(stored: Mapping[str, Stream | None]) -> Sequence[Event]:
            stream = require_party(by, stream_id, stored[stream_id], action.party)
            if action.function and stream.origin is Origin.CHAIN:
                raise ChainOwnedError(stream.id, stream.contract_id, action.function)
            if versions is not None and stream.version not in versions:
                raise StaleVersionError(f"Stream {stream.id}", stream.version)
            if not (events := action.command(stream, int(self._clock()))):
                raise AlreadyDoneError(stream)
            return events

        try:
            return await self._commit(stream_id, decide, key)
        except AlreadyDoneError as done:
            await self._archive.until(parse_position(done.stream.position))
            return stream_document(done.stream, int(self._clock()))

    async def _commit(
        self,
        stream_id: str,
        decide: Decide,
        key: IdempotencyKey | None,
        limit: IndexLimit | None = None,
        *,
        fresh: bool = False,
    ) -> Document:
        self.require_writable()
        to_store = key.to_store(self._committer.keys, stream_id) if key else None
        try:
            committed = await self._committer.change(
                [stream_id], decide, to_store, fresh=fresh, limit=limit
            )
        except PermissionDeniedError:
            raise
        except (commands.CommandRefusedError, ApiError):
            # A repeated request is often refused: a stream cannot be cancelled twice. If the first
            # request was carried out, return its stored response.
            if key and to_store and (raw := await self._committer.stored_response(to_store.key)):
                return await self._responses.response(key, raw)
            raise
        except ContentionError:
            COMMITS.labels(CommitOutcome.CONTENDED).inc()
            raise
        if key and committed.stored_response:
            return await self._responses.response(key, committed.stored_response)
        await self._archive.until(committed.positions[-1])
        return _after(committed)

    def _current(self, stored: StoredStream, tip: JournalTip) -> bytes:
        """The stored document, with the amount that the recipient can claim now."""
        stream = stored.stream
        return with_claimable(stored.document, stream, self._stream_clock.of(stream.origin, tip))


def _after(committed: CommitResult) -> Document:
    """The document of the stream after its last event. The event contains the same document."""
    last = committed.writes[-1]
    assert last.after is not None  # `decide` has found the stream or created it
    document = stream_document(last.after, last.event.timestamp)
    document["position"] = str(committed.positions[-1])  # the last field, as in the event
    return document
