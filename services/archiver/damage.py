"""What a restore leaves out, because it is damaged and there is no copy of it.

The damaged objects are moved to the folder `damaged` of the archive. Then all readers know that the
events are missing, and who finds a copy can put it back.

See docs/decisions/0126-a-restore-can-leave-out-damage.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise

from shared.archive.catalog import manifest_path, position_in
from shared.archive.errors import DamagedArchiveError, NotInArchiveError
from shared.archive.manifest import Manifest
from shared.archive.store import ArchiveStore
from shared.archive.topic_filter import may_contain
from shared.domain.position import END, START, Position

FOLDER = "damaged"


class Damage:
    """Damaged segments and manifests. `found` has a line for each."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._segments: list[Manifest] = []
        self._paths: list[str] = []
        self._first, self._last = END, START

    def __contains__(self, manifest: object) -> bool:
        """True if this segment is damaged."""
        return manifest in self._segments

    def add_segment(self, manifest: Manifest, error: Exception) -> None:
        """A segment that cannot be read."""
        self._segments.append(manifest)
        self._paths += [manifest_path(manifest.before), manifest.file, manifest.index]
        self._first = min(self._first, manifest.before)
        self._last = max(self._last, manifest.last)
        self.found.append(
            f"{manifest.count} events after {manifest.before} up to {manifest.last}: {error}"
        )

    def add_manifest(self, path: str, error: DamagedArchiveError) -> None:
        """A manifest that cannot be read. So its events are not known."""
        self._paths.append(path)
        self._first = min(self._first, position_in(path))
        self.found.append(f"{path}: {error}")

    def may_have(self, stream_id: str) -> bool:
        """True if a damaged segment may have events of this stream. One in a hundred is wrong."""
        return any(may_contain(each.topics, [stream_id]) for each in self._segments)

    def missing(self, kept: Sequence[Manifest]) -> Iterator[tuple[Position, Position]]:
        """Which events are missing: those after the first position, up to the second one.

        `kept`: the manifests of all segments that are left; at least one.
        """
        if self._first < kept[0].before:
            yield self._first, kept[0].before
        for one, other in pairwise(kept):
            if one.last < other.before:
                yield one.last, other.before
        if self._last > kept[-1].last:
            yield kept[-1].last, self._last

    async def set_aside(self, store: ArchiveStore) -> None:
        """Move the damaged objects to the folder `damaged`, the manifests first."""
        for path in self._paths:
            with suppress(NotInArchiveError):
                await store.put(f"{FOLDER}/{path}", await store.get(path))
                await store.delete(path)
