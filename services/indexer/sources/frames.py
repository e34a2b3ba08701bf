"""Horizon's SSE frames, parsed as they arrive: pure, and bounded in memory.

Only what Horizon's wire uses (docs/architecture.md, "Horizon"): LF or CRLF lines, event, data, id,
retry. A frame that the connection's end cuts off is never handed out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_BYTES = 32 << 20
"""A single frame may not be longer; the largest metas are a few megabytes."""


class FrameTooLong(ValueError):
    """A source that never ends its frame."""


@dataclass(slots=True)
class Frame:
    """One event of the source; `event` is "message" when it was not named."""

    event: str = "message"
    id: str | None = None
    data: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The data, lines joined as WHATWG HTML 9.2.6 says."""
        return "\n".join(self.data)


class FrameParser:
    """Feed it bytes as they come; it returns the frames that were completed."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._frame = Frame()
        self._size = 0

    def feed(self, data: bytes) -> list[Frame]:
        """Raises FrameTooLong, and UnicodeDecodeError on bytes that are not UTF-8."""
        searched = len(self._rest)
        self._rest += data
        self._size += len(data)
        frames: list[Frame] = []
        start = 0
        while (end := self._rest.find(b"\n", max(start, searched))) >= 0:
            self._line(bytes(self._rest[start:end]).rstrip(b"\r").decode(), frames)
            start = end + 1
        del self._rest[:start]
        if frames:
            self._size = len(self._rest)
        if self._size > MOST_BYTES:
            raise FrameTooLong(f"a frame of more than {MOST_BYTES} bytes")
        return frames

    def _line(self, line: str, frames: list[Frame]) -> None:
        if not line:
            if self._frame.data:
                frames.append(self._frame)
            self._frame = Frame()
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._frame.data.append(value)
        elif name == "event":
            self._frame.event = value
        elif name == "id":
            self._frame.id = value
