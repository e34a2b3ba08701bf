"""How many entries to ask Redis for. Redis limits a read by entries, but we must limit its bytes.

Pure. An event has up to about 15 KB, most have less than 1 KB. So the first read is small. Each
further read asks for at most twice as many entries. It assumes that each is as large as the
largest entry of the previous read.

See docs/decisions/0069-reads-are-bounded-in-bytes.md.
"""

from __future__ import annotations

from collections.abc import Iterable

READ_BYTES = 1 << 20
"""About how many bytes of bodies or documents are read for one request, and sent in one answer."""

_FIRST = 16
_MOST = 128
"""So many entries are parsed in less than a millisecond. Meanwhile nothing else is served."""


class ReadSize:
    """The sizes of the reads of one request. Tell `saw` the sizes of the entries of each read.

    The first read asks for `first` entries. It assumes that each is as large as `largest` bytes.
    """

    def __init__(self, first: int = _FIRST, *, largest: int = 1) -> None:
        self._most = first
        self._largest = largest

    def within(self, size: int) -> int:
        """How many entries, at least one, have together about `size` bytes."""
        return max(1, min(self._most, size // self._largest))

    def saw(self, sizes: Iterable[int]) -> None:
        """Learn from the sizes in bytes of the entries that were read."""
        self._most = min(2 * self._most, _MOST)
        self._largest = max(sizes, default=1) or 1
