"""Horizon's SSE frames, parsed as they arrive: pure, and bounded in memory.

Only what Horizon's wire uses (docs/architecture.md, "Horizon"): LF or CRLF lines, event, data, id,
retry. A frame that the connection's end cuts off is never handed out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.domain.errors import HeadraceError

MAX_FRAME_BYTES = 32 << 20
"""A single frame may not be longer; the largest metas are a few megabytes."""


class FrameTooLongError(HeadraceError, ValueError):
    """A source that never ends its frame."""


@dataclass(slots=True)
class HorizonFrame:
    """One event of the source; `event` is "message" when it was not named.

    The data stay bytes: whoever reads them as JSON finds out whether they are UTF-8.
    """

    event: str = "message"
    id: str | None = None
    lines: list[bytes] = field(default_factory=list)

    @property
    def data(self) -> bytes:
        """The data, lines joined as WHATWG HTML 9.2.6 says."""
        return b"\n".join(self.lines)


class HorizonFrameParser:
    """Feed it bytes as they come; it returns the frames that were completed."""

    def __init__(self) -> None:
        self._unparsed = bytearray()
        self._frame = HorizonFrame()
        self._size = 0  # of the lines that the unfinished frame has

    def feed(self, data: bytes) -> list[HorizonFrame]:
        """Raises FrameTooLongError."""
        searched = len(self._unparsed)
        self._unparsed += data
        frames: list[HorizonFrame] = []
        start = 0
        while (end := self._unparsed.find(b"\n", max(start, searched))) >= 0:
            self._line(bytes(self._unparsed[start:end]).removesuffix(b"\r"), frames)
            start = end + 1
        del self._unparsed[:start]
        if self._size + len(self._unparsed) > MAX_FRAME_BYTES:
            raise FrameTooLongError(f"a frame of more than {MAX_FRAME_BYTES} bytes")
        return frames

    def _line(self, line: bytes, frames: list[HorizonFrame]) -> None:
        self._size += len(line)
        if not line:
            if self._frame.lines:
                frames.append(self._frame)
            self._frame, self._size = HorizonFrame(), 0
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._frame.lines.append(value)
        elif name == b"event":
            self._frame.event = value.decode(errors="replace")
        elif name == b"id":
            self._frame.id = value.decode(errors="replace")
