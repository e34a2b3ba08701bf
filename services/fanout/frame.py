"""A frame in the encodings that clients ask for. All subscribers share what is made once.

With GZIP, the response is one gzip stream (RFC 1952) whose deflate blocks are the frames. A full
flush ends each frame (RFC 1951, zlib's Z_FULL_FLUSH): a client can read the frame at once, and no
later byte refers to it. So the compressed bytes of a frame are the same for every subscriber. The
stream has no trailer, because each subscriber would need a checksum of its own.

See docs/decisions/0087-events-are-written-when-they-are-read.md,
docs/decisions/0090-frames-are-compressed-once.md.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from enum import IntFlag
from functools import cache

from services.fanout.sse import event_frame, event_frame_size
from shared.journal.wire import JournalEntry, compact

GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
"""The start of a gzip stream: deflate, no name, no time, unknown system (RFC 1952, 2.3)."""


class Encoding(IntFlag):
    """How a subscriber gets its frames. PLAIN: the whole event, not compressed."""

    PLAIN = 0
    COMPACT = 1  # without the state of the stream
    GZIP = 2

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers of the response that name this encoding."""
        gzip = [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]
        return gzip if self in _GZIPPED else []

    @property
    def start(self) -> bytes:
        """What comes before the first frame."""
        return GZIP_HEADER if self in _GZIPPED else b""


_GZIPPED = frozenset({Encoding.GZIP, Encoding.GZIP | Encoding.COMPACT})
"""Looked up for each connection, because `&` of two flags takes ten times as long."""


class Frame:
    """One SSE frame. Its other encodings are made when they are first needed."""

    __slots__ = ("_made", "_text")

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._made: dict[Encoding, bytes] | None = None

    @property
    def plain(self) -> bytes:
        """Its text."""
        return self._text

    @property
    def size(self) -> int:
        """The number of bytes in `plain`."""
        return len(self._text)

    def encoded(self, encoding: Encoding) -> bytes:
        """The bytes for the subscribers with this encoding."""
        if not encoding:
            return self.plain
        if self._made is None:
            self._made = {}
        if (made := self._made.get(encoding)) is None:
            made = self._made[encoding] = self._make(encoding)
        return made

    def _make(self, encoding: Encoding) -> bytes:
        if encoding & Encoding.GZIP:
            return _gzip(self.encoded(encoding & ~Encoding.GZIP))
        return self._compact()

    def _compact(self) -> bytes:
        return self.plain


class EventFrame(Frame):
    """The frame of an event. Its text too is made when it is first needed.

    With many replicas, most events have no subscriber in most of them.
    """

    __slots__ = ("_entry",)

    def __init__(self, entry: JournalEntry) -> None:
        self._text = b""  # not made yet
        self._made = None
        self._entry = entry

    @property
    def plain(self) -> bytes:
        """Its text."""
        if not self._text:
            self._text = event_frame(self._entry)
        return self._text

    @property
    def size(self) -> int:
        """The number of bytes in `plain`."""
        return event_frame_size(self._entry)

    def _compact(self) -> bytes:
        return event_frame(self._entry._replace(body=compact(self._entry.body)))


class JoinedFrames(Frame):
    """Several frames that are written together."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Iterable[Frame]) -> None:
        self._parts = tuple(parts)
        super().__init__(b"".join([part.plain for part in self._parts]))

    def _make(self, encoding: Encoding) -> bytes:
        return b"".join([part.encoded(encoding) for part in self._parts])


class EncodedFrames(Frame):
    """Bytes for one subscriber that are already encoded."""

    __slots__ = ()

    def encoded(self, encoding: Encoding) -> bytes:
        """The bytes themselves."""
        return self.plain


def _gzip(data: bytes) -> bytes:
    deflate = _compressor()
    return deflate.compress(data) + deflate.flush(zlib.Z_FULL_FLUSH)


@cache
def _compressor() -> zlib._Compress:
    """One for all frames: after a full flush it has forgotten everything before."""
    return zlib.compressobj(wbits=-zlib.MAX_WBITS)
