"""The catalog: the manifests of an archive, in order.

A manifest is named by the position before its first entry, and written with `create`. So of two
archivers only one can continue after a position. To merge segments, the manifest of the first one
is overwritten, and then the others are deleted. Until then a reader ignores every manifest that
starts inside the one before it.

See docs/decisions/0119-the-chain-runs-over-entries.md.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from shared.archive.errors import (
    ArchiveUnavailableError,
    DamagedArchiveError,
    NotInArchiveError,
)
from shared.archive.hashes import CHAIN_START
from shared.archive.manifest import Manifest
from shared.archive.store import ArchiveStore, StoredObject
from shared.domain.position import START, Position, parse_position

FOLDER = "manifests"
_AT_ONCE = 16
"""How many manifests are read at once."""


def manifest_path(before: Position) -> str:
    """Where the manifest of the segment after this position is."""
    return f"{FOLDER}/{before.padded}.json"


def position_in(path: str) -> Position:
    """The position in the path of a manifest; START if it is no such path."""
    toid, _, n = path.removeprefix(f"{FOLDER}/").removesuffix(".json").partition("-")
    return Position(int(toid), int(n)) if toid.isdecimal() and n.isdecimal() else START


def in_order(manifests: Iterable[Manifest]) -> Sequence[Manifest]:
    """The manifests by position, without those that start inside the one before them."""
    kept: list[Manifest] = []
    for each in sorted(manifests, key=lambda manifest: manifest.before):
        if not kept or each.before >= kept[-1].last:
            kept.append(each)
    return kept


class Catalog:
    """The catalog as it was at the last `refresh`. Before the first one it is empty."""

    def __init__(
        self,
        store: ArchiveStore,
        *,
        on_damaged: Callable[[str, DamagedArchiveError], None] | None = None,
    ) -> None:
        """`on_damaged` gets the path of a damaged manifest, which is then left out."""
        self.store = store
        self._on_damaged = on_damaged
        self.manifests: Sequence[Manifest] = ()
        self._read: dict[str, tuple[str, Manifest]] = {}
        self._limit = asyncio.Semaphore(_AT_ONCE)
        self._refreshing = asyncio.Lock()

    @property
    def last(self) -> Manifest | None:
        """The manifest of the newest segment; None while the archive is empty."""
        return self.manifests[-1] if self.manifests else None

    @property
    def end(self) -> Position:
        """The position of the newest entry; START while the archive is empty."""
        return self.manifests[-1].last if self.manifests else START

    @property
    def chain(self) -> bytes:
        """The chain hash after the newest entry."""
        return bytes.fromhex(self.manifests[-1].chain) if self.manifests else CHAIN_START

    @property
    def began(self) -> Position | None:
        """Where the journal began, as the oldest segment says that knows it.

        Newer ones can name a later journal, which the indexer began after a loss of Redis.

        An archiver that is still behind does not know it. Then the archive's own beginning counts.
        None if that was deleted, or if the archive is empty.
        """
        for each in self.manifests:
            if began := each.progress.get("began"):
                return parse_position(began)
        first = self.manifests[0] if self.manifests else None
        return first.before if first and first.chain_before == CHAIN_START.hex() else None

    async def refresh(self) -> None:
        """Read the manifests that are new or changed. Raises ArchiveUnavailableError.

        Raises DamagedArchiveError if one is damaged, and there is no `on_damaged`.
        """
        async with self._refreshing:
            objects = [each async for each in self.store.list(FOLDER)]
            listed = [each for each in objects if each.path.endswith(".json")]
            found = await asyncio.gather(*map(self._manifest, listed))
            self._read = {path: (version, m) for path, version, m in filter(None, found)}
            self.manifests = in_order(manifest for _, manifest in self._read.values())

    async def check_newest(self) -> None:
        """Check that the newest segment is in the store. Raises ArchiveUnavailableError.

        The folder of a disk that is not mounted takes files too, and they are lost to all readers.
        """
        if not self.manifests:
            return
        try:
            await self.store.get(manifest_path(self.manifests[-1].before))
        except NotInArchiveError as error:
            raise ArchiveUnavailableError(
                f"{error} any more: is the disk mounted, and are all files of the archive there?"
            ) from error

    def add(self, manifest: Manifest) -> None:
        """Add a manifest that was just written. It takes the place of those that it covers."""
        others = [each for each in self.manifests if each.before != manifest.before]
        self.manifests = in_order([*others, manifest])

    def covering(self, position: Position) -> int:
        """The index of the first manifest with entries after `position`; their number if none."""
        return bisect_right(self.manifests, position, key=lambda manifest: manifest.last)

    async def _manifest(self, listed: StoredObject) -> tuple[str, str, Manifest] | None:
        path, version = listed.path, listed.version
        read = self._read.get(path)
        if read and read[0] == version:
            return path, version, read[1]
        async with self._limit:
            try:
                return path, version, Manifest.decode(await self.store.get(path))
            except NotInArchiveError:  # merged or deleted since it was listed
                return None
            except DamagedArchiveError as error:
                if not self._on_damaged:
                    raise DamagedArchiveError(f"{path} in {self.store.url}: {error}") from error
                self._on_damaged(path, error)
                return None
