"""Parse Horizon's SSE frames as the bytes arrive. Pure, with bounded memory.

Only the parts of SSE that Horizon uses are supported (docs/architecture.md, "Horizon"): lines that
end in LF or CRLF, and the fields event, data, id and retry. If the connection ends inside a frame,
that frame is not returned.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.domain.errors import HeadraceError

MAX_FRAME_BYTES = 32 << 20
"""The maximum size of one frame, in bytes. The largest metas have a few megabytes."""


class FrameTooLongError(HeadraceError, ValueError):
    """A frame is longer than MAX_FRAME_BYTES."""


@dataclass(slots=True)
class HorizonFrame:
    """One SSE frame. `event` is "message" if the frame has no field `event`.

    The data stay bytes: the JSON parser checks that they are UTF-8.
    """

    event: str = "message"
    id: str | None = None
    lines: list[bytes] = field(default_factory=list)

    @property
    def data(self) -> bytes:
        """Return the data. Several lines are joined by LF (WHATWG HTML, 9.2.6)."""
        return b"\n".join(self.lines)


class HorizonFrameParser:
    """Accepts bytes as they arrive, and returns complete frames."""

    def __init__(self) -> None:
        self._unparsed = bytearray()
        self._frame = HorizonFrame()
        self._size = 0  # bytes of the lines of the unfinished frame

    def feed(self, data: bytes) -> list[HorizonFrame]:
        """Parse more bytes; returns the frames that are now complete. Raises FrameTooLongError."""
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
