"""Parses an event stream from chunks of bytes, as WHATWG HTML 9.2.6 says. Pure.

Chunks may end anywhere: inside a line, a character, or between CR and LF. What the connection does
not bring to its blank line is not returned.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from headrace_client.errors import ProtocolError

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r")
_LONGEST_RETRY = 10**9  # eleven days in milliseconds

MAX_MESSAGE_BYTES = 16 << 20
"""More bytes without the end of a message are an error. They would fill the memory."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `event` is "message" if it has no name. `id` is the last id that was sent."""

    event: str
    data: str
    id: str


class SseParser:
    """The state between two chunks. `retry` is the last `retry:` in milliseconds, or None."""

    def __init__(self) -> None:
        self.retry: int | None = None
        self._id = ""
        self._event = ""
        self._data: list[str] = []
        self._size = 0  # bytes since the last message
        self._rest: list[bytes] = []  # a line without its end: a list, so that it grows fast
        self._rest_size = 0
        self._after_cr = False
        self._begun = False

    def feed(self, chunk: bytes) -> list[Message]:
        """The messages that these bytes complete. Raises ProtocolError if one is too long."""
        messages = []
        for line in self._lines(chunk):
            if line:
                self._take_field(line)
            elif (message := self._dispatch()) is not None:
                messages.append(message)
        if self._size + self._rest_size > MAX_MESSAGE_BYTES:
            raise ProtocolError(f"a message has more than {MAX_MESSAGE_BYTES} bytes")
        return messages

    def _lines(self, chunk: bytes) -> list[bytes]:
        """The lines that these bytes complete, without their ends."""
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")  # the second byte of CR LF
        if not self._begun:
            chunk = self._without_bom(chunk)
        if not chunk:
            return []
        self._after_cr = chunk.endswith(b"\r")
        first, *others = _LINE_END.split(chunk)
        self._rest.append(first)
        self._rest_size += len(first)
        if not others:
            return []
        line, self._rest = b"".join(self._rest), [others.pop()]
        self._rest_size = len(self._rest[0])
        return [line, *others]

    def _without_bom(self, chunk: bytes) -> bytes:
        """The bytes without a byte order mark at the start; b"" while that is open."""
        start = b"".join(self._rest) + chunk
        self._rest = []
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self._rest = [start]
            return b""
        self._begun = True
        return start.removeprefix(_BOM)

    def _take_field(self, line: bytes) -> None:
        self._size += len(line)
        name, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        match name:  # "" is a comment
            case "event":
                self._event = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                self.retry = _milliseconds(value)

    def _dispatch(self) -> Message | None:
        """The message that a blank line ends; None if it has no data."""
        event, data = self._event, self._data
        self._event, self._data, self._size = "", [], 0
        return Message(event or "message", "\n".join(data), self._id) if data else None


def _milliseconds(digits: str) -> int:
    """The number in these digits, at most `_LONGEST_RETRY`: Python refuses to read thousands."""
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) < 10 else _LONGEST_RETRY
