"""The use cases: what the API does with streams, by the rules of shared.domain.commands.

Every refusal is a Problem. Times are Unix seconds: of the clock for the API's own streams, of the
last ledger read for what a chain stream has accrued.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import orjson

from services.api.auth.permissions import Party, require_party, require_read
from services.api.http.idempotency import IdempotencyKey
from services.api.http.page_cursor import encode_cursor
from services.api.http.requests import etag
from services.api.streams.clock import StreamClock
from services.api.streams.ids import new_stream_id
from services.api.streams.listing import StreamListing
from services.api.streams.schemas import CreateStream, ListQuery
from shared.auth.principal import ANYONE, Principal
from shared.domain import commands
from shared.domain.events import Event, Origin
from shared.domain.stream import Stream
from shared.domain.topics import is_stream_id
from shared.journal.commit import (
    CommitResult,
    Committer,
    ContentionError,
    Decide,
    JournalBehindError,
)
from shared.journal.reader import Journal, JournalTip
from shared.journal.wire import claimable_document, stream_document, stream_of
from shared.redis.clock import Clock
from shared.runtime.metrics import COMMITS, CommitOutcome
from shared.web.problems import Problem, Slug, unavailable

Document: TypeAlias = dict[str, object]
Command = Callable[[Stream, int], Sequence[Event]]
Tags: TypeAlias = frozenset[str] | None


@dataclass(frozen=True, slots=True)
class StreamAction:
    """A step of a stream's life, and whose it is; on the chain only `function` takes it, if any."""

    function: str | None
    command: Command
    party: Party = Party.SENDER


WITHDRAW = StreamAction("withdraw", commands.withdraw, Party.RECIPIENT)
PAUSE = StreamAction("pause_stream", commands.pause)
RESUME = StreamAction("resume_stream", commands.resume)
CANCEL = StreamAction("cancel_stream", commands.cancel)


def top_up(amount: int) -> StreamAction:
    """More money for a stream."""
    return StreamAction("top_up_stream", lambda stream, now: commands.top_up(stream, amount, now))


class StreamService:
    """The streams of one namespace."""

    def __init__(
        self,
        committer: Committer,
        journal: Journal,
        listing: StreamListing,
        clock: Clock,
        doubt: Callable[[], str | None],
    ) -> None:
        """`doubt` returns why nothing may be changed, or None."""
        self._doubt = doubt
        self._committer = committer
        self._journal = journal
        self._listing = listing
        self._clock = clock
        self._times = StreamClock(clock)

    async def create(self, order: CreateStream, once: IdempotencyKey | None = None) -> Document:
        """A new stream of ours; the document as GET returns it. Raises Problem 409, 503."""
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
        return await self._commit(stream_id, lambda _: events, once, fresh=True)

    async def get(self, stream_id: str, by: Principal = ANYONE) -> tuple[Document, str]:
        """One stream, and the journal's top at or before the read. Raises Problem 403, 404."""
        if not is_stream_id(stream_id):
            raise _unknown(stream_id)
        head, (raw,) = await self._journal.tip_and([self._committer.keys.stream(stream_id)])
        document: Document
        if raw is not None:
            document = orjson.loads(raw)
        elif kept := await self._committer.streams.rebuild([stream_id]):
            document = stream_document(kept[stream_id], kept[stream_id].updated_at)
        else:
            raise _unknown(stream_id)
        stream = stream_of(document)
        require_read(by, stream)
        now = self._times.of(stream.origin, head)
        return document | {"claimable": claimable_document(stream, now)}, str(head.top)

    async def parties(self, stream_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Sender and recipient of each; () for a stream that is not known."""
        streams = await self._committer.streams.find(stream_ids)
        return {i: (s.sender, s.recipient) if s else () for i, s in streams.items()}

    async def page(self, query: ListQuery) -> Document:
        """A page of streams with the position to subscribe from."""
        head = await self._journal.tip()  # first: what changes from here on, events will tell
        page = await self._listing.page(
            query.indexes(),
            after=query.cursor,
            limit=query.limit,
            newest_first=query.order == "desc",
            by_latest_change=query.sort == "updated",
        )
        return {
            "items": [self._document(stream, head) for stream in page.streams],
            "total": page.total,
            "next": encode_cursor(page.last) if page.last else None,
            "position": str(head.top),
        }

    async def update(
        self,
        stream_id: str,
        metadata: Mapping[str, object],
        tags: Tags = None,
        once: IdempotencyKey | None = None,
        by: Principal = ANYONE,
    ) -> Document:
        """New metadata, of chain streams too. Raises Problem 403, 404, 409, 412, 503."""
        step = StreamAction(None, lambda stream, now: commands.update(stream, metadata, now))
        return await self.act(stream_id, step, tags, once, by)

    async def act(
        self,
        stream_id: str,
        action: StreamAction,
        tags: Tags = None,
        once: IdempotencyKey | None = None,
        by: Principal = ANYONE,
    ) -> Document:
        """A step of a stream of ours. Raises Problem 403, 404, 409, 412, 503."""
        if not is_stream_id(stream_id):
            raise _unknown(stream_id)

        def decide(stored: Mapping[str, Stream | None]) -> Sequence[Event]:
            stream = stored[stream_id]
            if stream is None:
                raise _unknown(stream_id)
            require_party(by, stream, action.party)
            if action.function and stream.origin is Origin.CHAIN:
                raise _chain_owned(stream, action.function)
            if tags is not None and etag(stream.version) not in tags:
                raise _stale(stream)
            return action.command(stream, int(self._clock()))

        return await self._commit(stream_id, decide, once)

    async def _commit(
        self, stream_id: str, decide: Decide, once: IdempotencyKey | None, *, fresh: bool = False
    ) -> Document:
        if doubt := self._doubt():
            raise unavailable(f"{doubt}; nothing was changed", retry_after=10)
        answer = once.answer(self._committer.keys) if once else None
        try:
            committed = await self._committer.change([stream_id], decide, answer, fresh=fresh)
        except (commands.CommandRefusedError, Problem) as refusal:
            # What was done under this key is often what a repetition is refused for.
            if once and answer and (given := await self._committer.stored_response(answer.key)):
                return once.document(given)
            if isinstance(refusal, Problem):
                raise
            raise Problem(409, Slug.REFUSED, str(refusal)) from None
        except ContentionError as error:
            COMMITS.labels(CommitOutcome.CONTENDED).inc()
            raise Problem(503, Slug.CONTENDED, str(error), headers={"Retry-After": "1"}) from None
        except JournalBehindError as error:
            raise unavailable(str(error)) from None
        if once and committed.stored_response:
            return once.document(committed.stored_response)
        return _after(committed)

    def _document(self, stream: Stream, head: JournalTip) -> Document:
        return stream_document(stream, self._times.of(stream.origin, head))


def _after(committed: CommitResult) -> Document:
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
