"""The chunked transfer encoding of HTTP/1.1, for the SSE client."""

from __future__ import annotations


class Chunks:
    """Takes the chunks of HTTP/1.1 apart (RFC 9112 7.1), as a gateway sends them."""

    def __init__(self) -> None:
        self._rest = b""
        self._left = 0  # bytes of the chunk that has begun, its CRLF included

    def feed(self, data: bytes) -> bytes:
        """What these bytes hold of the body."""
        self._rest += data
        body = b""
        while self._rest:
            if not self._left:
                size, found, rest = self._rest.partition(b"\r\n")
                if not found:
                    break
                self._rest, self._left = rest, int(size.partition(b";")[0], 16) + 2
            part = self._rest[: self._left]
            self._rest, self._left = self._rest[len(part) :], self._left - len(part)
            body += part[: max(0, len(part) + min(0, self._left - 2))]
        return body
