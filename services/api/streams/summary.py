"""Totals of an account's streams: sent, received and claimable by token; counts by status.

Streams of the chain and of the API have totals of their own, because anyone can make a stream of
the API with any token and any amount. Streams that the account receives and has not accepted, or
has hidden, are only counted, because strangers choose their amounts.

The claimable amount changes every second, so each call adds up the streams of the account again. A
call reads at most `limit` streams and about 1 MB of documents, newest first, and returns a cursor
for the others. A call takes about 20 µs for each stream.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from services.api.http.page_cursor import encode_cursor
from services.api.streams.clock import StreamClock
from services.api.streams.listing import StreamListing
from services.api.tokens.directory import TokenDirectory
from shared.domain.events import Origin
from shared.domain.stream import Acceptance, Stream, StreamStatus, claimable, remaining
from shared.journal.indexes import received
from shared.journal.read_size import READ_BYTES
from shared.journal.reader import Journal, JournalTip
from shared.journal.stream_indexes import StreamIndexes

CHUNK_SIZE = 200
"""Streams per read. Other requests are served between two reads."""

_UNANSWERED = (Acceptance.PENDING, Acceptance.HIDDEN)
_SENT = ("deposited", "withdrawn", "refunded", "remaining")
_RECEIVED = ("withdrawn", "claimable", "remaining")


class AccountTotals:
    """Totals of one account's streams of one origin."""

    def __init__(self, account: str) -> None:
        self.streams = 0
        self.account = account
        self._sums: Counter[tuple[str, str, str]] = Counter()
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, stream: Stream, now: int) -> None:
        """Add a stream that the account sends, receives, or both."""
        self.streams += 1
        due = claimable(stream, now)
        amounts = {
            "deposited": stream.deposited,
            "withdrawn": stream.withdrawn,
            "refunded": stream.refunded,
            "remaining": max(0, remaining(stream)),  # an allowance has no deposit
            "claimable": due or 0,
            "claimableUnknown": due is None,
        }
        accepted = stream.acceptance is Acceptance.ACCEPTED
        sides = ("sent", stream.sender, True), ("received", stream.recipient, accepted)
        for side, party, counts in sides:
            if counts and party == self.account:
                self._counts[side, stream.status] += 1
                for name, amount in amounts.items():
                    self._sums[stream.token, side, name] += amount

    def tokens(self) -> list[str]:
        """The tokens of the streams, in alphabetical order."""
        return sorted({token for token, _, _ in self._sums})

    def document(self) -> dict[str, object]:
        """The JSON object. Amounts are decimal strings, because a sum can exceed 128 bits."""
        return {
            "streams": self.streams,
            "counts": {
                side: {status.value: self._counts[side, status] for status in StreamStatus}
                for side in ("sent", "received")
            },
            "tokens": [self._token(token) for token in self.tokens()],
        }

    def _token(self, token: str) -> dict[str, object]:
        def side(name: str, sums: Iterable[str]) -> dict[str, object]:
            return {each: str(self._sums[token, name, each]) for each in sums}

        unknown = self._sums[token, "received", "claimableUnknown"]

        return {
            "tokenAddress": token,
            "sent": side("sent", _SENT),
            "received": side("received", _RECEIVED) | {"claimableUnknown": unknown},
        }


class AccountSummaries:
    """Summaries of the accounts of one namespace."""

    def __init__(
        self,
        indexes: StreamIndexes,
        listing: StreamListing,
        journal: Journal,
        clock: StreamClock,
        tokens: TokenDirectory,
    ) -> None:
        self._tokens = tokens
        self._indexes = indexes
        self._listing = listing
        self._journal = journal
        self._clock = clock

    async def of(self, account: str, *, after: str | None, limit: int) -> dict[str, object]:
        """The totals of the account's next `limit` streams, after the index member `after`."""
        tip = await self._journal.tip()
        totals = {origin: AccountTotals(account) for origin in Origin}
        last = await self._add(totals, account, tip, after, limit)
        unanswered = {name: received(account, name) for name in _UNANSWERED}
        sizes = await self._indexes.sizes(unanswered.values())
        return {
            "account": account,
            **{origin.value: each.document() for origin, each in totals.items()},
            "tokens": await self._tokens.of({t for each in totals.values() for t in each.tokens()}),
            **{name.value: sizes[index] for name, index in unanswered.items()},
            "next": encode_cursor(last) if last else None,
            "position": str(tip.top),
        }

    async def _add(
        self,
        totals: Mapping[Origin, AccountTotals],
        account: str,
        tip: JournalTip,
        after: str | None,
        limit: int,
    ) -> str | None:
        wanted = frozenset({received(account, Acceptance.ACCEPTED)})
        size = READ_BYTES
        while (left := limit - sum(each.streams for each in totals.values())) > 0 and size > 0:
            page = await self._listing.page(
                wanted, after=after, limit=min(CHUNK_SIZE, left), newest_first=True, size=size
            )
            for stored in page.streams:
                stream = stored.stream
                totals[stream.origin].add(stream, self._clock.of(stream.origin, tip))
                size -= len(stored.document)
            after = page.last
            if after is None:
                break
        return after
