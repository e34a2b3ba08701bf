"""Reading parts of a file in the store, through a cache on the local disk.

The files of an archive never change: a changed segment gets a new file with a new name. So a block
that was read once stays right for ever, and nothing is invalidated.
"""

from __future__ import annotations

import io
import shutil
import tempfile
import threading
import weakref
import zlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path

BLOCK = 1 << 20
"""Bytes in a block."""

_CHECKSUM = 4

Fetch = Callable[[int, int], bytes]
"""Reads a part of a file: from this byte on, so many bytes. It blocks."""


class BlockCache:
    """Blocks on the local disk, at most about `limit` bytes; those unused for longest go first.

    An empty `folder` means a temporary one, which ends with the process. Other processes can use
    the same folder; each then counts the blocks that it has seen. Safe to use from threads.
    """

    def __init__(self, folder: str, limit: int) -> None:
        self._folder = Path(folder) if folder else self._temporary_folder()
        self._limit = limit
        self._lock = threading.Lock()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._sizes = OrderedDict(self._found())

    def get(self, name: str) -> bytes | None:
        """The block with this name; None if it is not here or is damaged."""
        try:
            raw = (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None
        block = raw[_CHECKSUM:]
        if raw[:_CHECKSUM] != _checksum(block):  # the machine stopped while it was written
            return None
        with self._lock:
            if name in self._sizes:
                self._sizes.move_to_end(name)
        return block

    def put(self, name: str, block: bytes) -> None:
        """Keep a block. A disk that is full or read-only costs only the speed."""
        with suppress(OSError):
            with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".", delete=False) as file:
                file.write(_checksum(block) + block)
            Path(file.name).replace(self._folder / name)
            with self._lock:
                self._sizes[name] = len(block)
                excess = self._take_excess()
            self._delete(excess)

    def keep_only(self, names: Collection[str]) -> None:
        """Delete the blocks of all files but these: others were merged, or have erased bodies."""
        with self._lock:
            gone = [each for each in self._sizes if each.rpartition("-")[0] not in names]
            for each in gone:
                del self._sizes[each]
        self._delete(gone)

    def _delete(self, names: Iterable[str]) -> None:
        with suppress(OSError):
            for each in names:
                (self._folder / each).unlink(missing_ok=True)

    def _temporary_folder(self) -> Path:
        path = Path(tempfile.mkdtemp(prefix="headrace-archive-"))
        weakref.finalize(self, shutil.rmtree, path, ignore_errors=True)
        return path

    def _take_excess(self) -> list[str]:
        taken, size = [], sum(self._sizes.values())
        while size > self._limit and self._sizes:
            name, bytes_of_it = self._sizes.popitem(last=False)
            taken.append(name)
            size -= bytes_of_it
        return taken

    def _found(self) -> list[tuple[str, int]]:
        """The blocks of earlier processes, the oldest first."""
        files = [path for path in self._folder.iterdir() if not path.name.startswith(".")]
        stats = [(path.name, path.stat()) for path in files]
        return [(name, s.st_size) for name, s in sorted(stats, key=lambda each: each[1].st_mtime)]


class CachedFile(io.RawIOBase):
    """A file in the store that can be read and searched like a local one, by one thread at a time.

    `name` must be unique for the content: the SHA-256 of the file. Without a cache, each read asks
    the store for just the bytes that are read. Raises OSError if the file is shorter than `size`.
    """

    def __init__(self, fetch: Fetch, name: str, size: int, cache: BlockCache | None) -> None:
        super().__init__()
        self._fetch = fetch
        self._name = name
        self._size = size
        self._cache = cache
        self._at = 0

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read from any place."""
        return True

    def tell(self) -> int:
        """The place of the next read, in bytes."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the place of the next read."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """The next `size` bytes; fewer at the end of the file."""
        rest = max(0, self._size - self._at)
        length = rest if size is None or size < 0 else min(size, rest)
        data = self._read(self._at, length) if length else b""
        self._at += len(data)
        return data

    def _read(self, start: int, length: int) -> bytes:
        if self._cache is None:
            return self._fetched(start, length)
        first, last = start // BLOCK, (start + length - 1) // BLOCK
        blocks = b"".join(self._block(self._cache, n) for n in range(first, last + 1))
        skipped = start - first * BLOCK
        return blocks[skipped : skipped + length]

    def _block(self, cache: BlockCache, number: int) -> bytes:
        name = f"{self._name}-{number}"
        if (block := cache.get(name)) is None:
            start = number * BLOCK
            block = self._fetched(start, min(BLOCK, self._size - start))
            cache.put(name, block)
        return block

    def _fetched(self, start: int, length: int) -> bytes:
        data = self._fetch(start, length)
        if len(data) != length:
            end = start + len(data)
            raise OSError(f"it ends at byte {end}, but its manifest says {self._size} bytes")
        return data


def _checksum(block: bytes) -> bytes:
    return zlib.crc32(block).to_bytes(_CHECKSUM, "big")
