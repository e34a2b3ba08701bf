"""Entries of a journal as the commit writes them, made without Redis: for tests and benchmarks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from stellar_sdk import StrKey

from shared.domain import commands
from shared.domain.events import Event, EventType, Provenance
from shared.domain.instant import utc_text
from shared.domain.position import Position, toid
from shared.domain.stream import Stream
from shared.domain.topics import topics_of
from shared.domain.transitions import apply
from shared.journal.stream_document import encode_stream
from shared.journal.wire import JournalEntry, encode

CONTRACT = StrKey.encode_contract(b"\2" * 32)
TOKEN = StrKey.encode_contract(b"\1" * 32)
BEGAN = 1_770_000_000
FIRST_LEDGER = 4_000_000
_PER_LEDGER = 40


def account(number: int) -> str:
    """A valid account address that looks as random as a real one."""
    return StrKey.encode_ed25519_public_key(random.Random(number).randbytes(32))


class EntrySource:
    """Creations of `streams` streams, then withdrawals and top-ups of random ones, for ever.

    Each event is in a transaction of its own, with a random hash. The parties of a stream are two
    of `accounts` accounts.
    """

    def __init__(self, streams: int, accounts: int, *, seed: int = 1, start: int = 0) -> None:
        self._random = random.Random(seed)
        self._accounts = [account(n) for n in range(accounts)]
        self._streams: dict[str, Stream] = {}
        self._count = streams
        self._n = start
        self.previous = str(Position(toid(FIRST_LEDGER) - 1, 1))

    def take(self, count: int) -> list[JournalEntry]:
        """The next `count` entries."""
        return [self._next() for _ in range(count)]

    def pages(self, total: int, size: int) -> Iterator[list[JournalEntry]]:
        """`total` entries, `size` at a time."""
        for first in range(0, total, size):
            yield self.take(min(size, total - first))

    def _next(self) -> JournalEntry:
        number = len(self._streams) + 1
        if number <= self._count:
            return self._entry(EventType.STREAM_CREATED, str(number), self._creation(str(number)))
        stream = self._streams[str(self._random.randint(1, self._count))]
        facts: dict[str, object] = {
            "recipient": stream.recipient,
            "amount": str(self._random.randint(1, 10**6)),
        }
        facts["timestamp"] = BEGAN + 5 * (self._n // _PER_LEDGER)
        return self._entry(EventType.STREAM_WITHDRAWN, str(stream.id), facts)

    def _creation(self, stream_id: str) -> Mapping[str, object]:
        sender, recipient = self._random.sample(self._accounts, 2)
        (event,) = commands.create(
            stream_id=stream_id,
            sender=sender,
            recipient=recipient,
            token=TOKEN,
            rate=self._random.randint(1, 10**7),
            deposited=10**15,
            start_time=BEGAN,
            now=BEGAN,
        )
        return event.facts

    def _entry(self, kind: EventType, stream_id: str, facts: Mapping[str, object]) -> JournalEntry:
        ledger, order = FIRST_LEDGER + self._n // _PER_LEDGER, self._n % _PER_LEDGER + 1
        self._n += 1
        position, now = Position(toid(ledger, order), 1), BEGAN + 5 * (ledger - FIRST_LEDGER)
        source = Provenance(CONTRACT, ledger, utc_text(now), self._random.randbytes(32).hex(), True)
        event = Event(kind, stream_id, now, facts, position, source)
        before = self._streams.get(stream_id)
        after = apply(before, event)
        assert after is not None
        self._streams[stream_id] = after
        topics = topics_of(event, before, after)
        _, body = encode(event, topics, after)
        document = encode_stream(after, now)
        whole = b'{"id":"%s","publishedAt":%d,%s,"stream":%s,"position":"%s"}}' % (
            str(position).encode(),
            now * 1_000_000 + self._random.randrange(1_000_000),
            body[1:-1],
            document[:-1],
            str(position).encode(),
        )
        entry = JournalEntry(str(position), self.previous, kind, topics, whole)
        self.previous = entry.position
        return entry
