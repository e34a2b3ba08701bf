"""Parse a chunk of Horizon's stream: its frames, its transactions, and a batch of their events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

import aiohttp

from services.indexer.sources.base import Batch
from services.indexer.sources.horizon.sse_parser import (
    FrameTooLongError,
    HorizonFrame,
    HorizonFrameParser,
)
from shared.chain.decode.records import HorizonTransaction, MalformedError, parse_record
from shared.chain.decode.transactions import DecodedEvents
from shared.chain.errors import SourceError
from shared.chain.http import parse_object
from shared.web.client import reason


@dataclass(slots=True)
class ChunkResult:
    """What was read from one chunk of the stream; `start` is the cursor before the chunk."""

    start: int
    decoded: DecodedEvents = field(default_factory=DecodedEvents)
    last: HorizonTransaction | None = None
    ended: bool = False

    @property
    def cursor(self) -> int:
        """The TOID up to which everything was read."""
        return self.last.toid if self.last else self.start

    def batch(self, latest: int) -> Batch | None:
        """Create the batch; None if no transaction was read. `latest`: Horizon's last ledger."""
        if (last := self.last) is None:
            return None
        decoded = self.decoded
        return Batch(
            decoded.events,
            decoded.dead,
            last.toid,
            last.ledger,
            last.closed_at,
            max(latest, last.ledger),
        )


def empty_batch(upto: int, latest: int) -> Batch:
    """Create a batch without events that moves the cursor to the end of a ledger."""
    return Batch((), (), upto, upto >> 32, None, latest)


async def read_chunks(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes]:
    """Yield the bytes of a stream as they arrive. Raises SourceError if the connection breaks."""
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise SourceError("dropped", reason(error)) from error


def parse_frames(parser: HorizonFrameParser, chunk: bytes) -> Sequence[HorizonFrame]:
    """Return the frames that end in this chunk. Raises SourceError."""
    try:
        return parser.feed(chunk)
    except FrameTooLongError as error:
        raise SourceError("malformed", str(error)) from error


def parse_frame(frame: HorizonFrame) -> HorizonTransaction:
    """Parse the transaction in a frame. Raises SourceError."""
    try:
        record = parse_record(parse_object(frame.data))
    except MalformedError as error:
        raise SourceError("malformed", str(error)) from error
    if frame.id != str(record.toid):
        raise SourceError("malformed", f"frame {frame.id!r} holds transaction {record.toid}")
    return record
