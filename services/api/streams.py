"""The use cases: what the API does with streams, over the rules (shared.commands) and the commit.

Every refusal is a Problem. Times are Unix seconds: of the clock for the API's own streams, of the
last ledger read for what a chain stream has accrued.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from services.api.cursors import encode_cursor
from services.api.ids import new_stream_id
from services.api.listing import Listing
from services.api.requests import etag
from services.api.schemas import CreateStream, ListQuery
from shared import commands
from shared.commit import Behind, Committed, Committer, Contended
from shared.events import Event, Origin
from shared.journal import Head, Journal
from shared.metrics import COMMITS
from shared.problems import Problem, Slug, unavailable
from shared.streams import Stream
from shared.topics import is_stream_id
from shared.wire import stream_document

Clock = Callable[[], float]
Document: TypeAlias = dict[str, object]
Command = Callable[[Stream, int], Sequence[Event]]
Tags: TypeAlias = frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Action:
    """A step of a stream's life; on the chain only the contract's `function` takes it."""

    function: str
    command: Command


WITHDRAW = Action("withdraw", commands.withdraw)
PAUSE = Action("pause_stream", commands.pause)
RESUME = Action("resume_stream", commands.resume)
CANCEL = Action("cancel_stream", commands.cancel)


def top_up(amount: int) -> Action:
    """More money for a stream."""
    return Action("top_up_stream", lambda stream, now: commands.top_up(stream, amount, now))


class Streams:
    """The streams of one namespace."""

    def __init__(
        self, committer: Committer, journal: Journal, listing: Listing, clock: Clock
    ) -> None:
        self._committer = committer
        self._journal = journal
        self._listing = listing
        self._clock = clock

    async def create(self, order: CreateStream) -> Document:
        """A new stream of ours; the document as GET returns it."""
        now = self._clock()
        stream_id = new_stream_id(now)
        start = int(now) if order.start_time is None else order.start_time
        events = commands.create(
            stream_id=stream_id,
            sender=order.sender,
            recipient=order.recipient,
            token=order.token_address,
            rate=order.rate_per_second,
            deposited=order.deposited_amount,
            start_time=start,
            now=int(now),
            metadata=order.metadata.facts(),
        )
        return await self._commit(stream_id, lambda _: events)

    async def get(self, stream_id: str) -> tuple[Document, str]:
        """One stream, and the journal's top at or before the read. Raises Problem 404."""
        if not is_stream_id(stream_id):
            raise _unknown(stream_id)
        head = await self._journal.head()
        stream = (await self._committer.load([stream_id]))[stream_id]
        if stream is None:
            raise _unknown(stream_id)
        return self._document(stream, head), str(head.top)

    async def page(self, query: ListQuery) -> Document:
        """A page of streams with the position to subscribe from."""
        head = await self._journal.head()  # first: what changes from here on, events will tell
        streams, last = await self._listing.page(
            query.indexes(),
            after=query.cursor,
            limit=query.limit,
            newest_first=query.order == "desc",
        )
        return {
            "items": [self._document(stream, head) for stream in streams],
            "next": encode_cursor(last) if last else None,
            "position": str(head.top),
        }

    async def update(
        self, stream_id: str, metadata: Mapping[str, object], tags: Tags = None
    ) -> Document:
        """New metadata, of chain streams too. Raises Problem 404, 412, 503."""
        return await self._change(
            stream_id, tags, lambda stream, now: commands.update(stream, metadata, now)
        )

    async def act(self, stream_id: str, action: Action, tags: Tags = None) -> Document:
        """A step of a stream of ours. Raises Problem 404, 409, 412, 503."""
        return await self._change(stream_id, tags, action.command, action.function)

    async def _change(
        self, stream_id: str, tags: Tags, command: Command, function: str | None = None
    ) -> Document:
        if not is_stream_id(stream_id):
            raise _unknown(stream_id)

        def decide(stored: Mapping[str, Stream | None]) -> Sequence[Event]:
            stream = stored[stream_id]
            if stream is None:
                raise _unknown(stream_id)
            if function and stream.origin is Origin.CHAIN:
                raise _chain_owned(stream, function)
            if tags is not None and etag(stream.version) not in tags:
                raise _stale(stream)
            return command(stream, int(self._clock()))

        return await self._commit(stream_id, decide)

    async def _commit(
        self, stream_id: str, decide: Callable[[Mapping[str, Stream | None]], Sequence[Event]]
    ) -> Document:
        try:
            committed = await self._committer.change([stream_id], decide)
        except commands.Refused as refusal:
            raise Problem(409, Slug.REFUSED, str(refusal)) from None
        except Contended as error:
            COMMITS.labels("contended").inc()
            raise Problem(503, Slug.CONTENDED, str(error), headers={"Retry-After": "1"}) from None
        except Behind as error:
            COMMITS.labels("behind").inc()
            raise unavailable(str(error)) from None
        COMMITS.labels("committed").inc()
        return _after(committed)

    def _document(self, stream: Stream, head: Head) -> Document:
        return stream_document(stream, self._as_of(stream, head))

    def _as_of(self, stream: Stream, head: Head) -> int:
        if stream.origin is Origin.CHAIN and head.closed_at:
            return int(datetime.fromisoformat(head.closed_at).timestamp())
        return int(self._clock())


def _after(committed: Committed) -> Document:
    """The stream as its last event left it, the same as stands in that event."""
    last = committed.writes[-1]
    assert last.after is not None  # decide() saw or made it
    stream = replace(last.after, position=str(committed.positions[-1]))
    return stream_document(stream, last.event.timestamp)


def _unknown(stream_id: str) -> Problem:
    return Problem(404, Slug.NOT_FOUND, f"there is no stream {stream_id[:64]!r}")


def _chain_owned(stream: Stream, function: str) -> Problem:
    word = (
        f"stream {stream.id} lives on the chain, and only there its money moves: "
        f"call {function} of contract {stream.contract_id}"
    )
    where = {"contractId": stream.contract_id, "function": function}
    return Problem(409, Slug.CHAIN_OWNED, word, call=where)


def _stale(stream: Stream) -> Problem:
    word = f"stream {stream.id} has changed meanwhile: it is at version {stream.version} now"
    headers = {"ETag": etag(stream.version)}
    return Problem(412, Slug.STALE_VERSION, word, headers=headers, version=stream.version)
