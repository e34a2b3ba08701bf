"""Compares segments with their manifests, and manifests with each other. Pure.

See docs/decisions/0119-the-chain-runs-over-entries.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from shared.archive.hashes import CHAIN_START, chain_of, entry_hash
from shared.archive.manifest import Manifest
from shared.domain.position import START, Position, parse_position
from shared.journal.wire import JournalEntry


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in the archive that is not as it should be, as `verify` prints it in JSON.

    `where`: a position or the path of an object. `what`: one of `manifest`, `missing`, `file`,
    `index`, `count`, `position`, `order`, `erased`, `chain`, `gap`, `start`, `end` and `signature`.
    docs/operations/archive.md says what they mean.
    """

    where: str
    what: str
    expected: object
    found: object


def check_catalog(manifests: Sequence[Manifest], *, whole: bool) -> Iterator[Finding]:
    """Yield what is wrong between segments.

    `whole`: these are all segments of an archive that deletes none, so the first one starts the
    chain.
    """
    first = manifests[0] if manifests else None
    if first and whole and first.chain_before != CHAIN_START.hex():
        yield Finding(str(first.before), "start", CHAIN_START.hex(), first.chain_before)
    for one, other in pairwise(manifests):
        if other.chain_before != one.chain:
            yield Finding(str(other.before), "chain", one.chain, other.chain_before)
        if other.before > one.last:
            yield Finding(str(other.before), "gap", str(one.last), str(other.before))


def check_mark(manifests: Sequence[Manifest], marked: Position, chain: str) -> Iterator[Finding]:
    """Yield what Redis remembers of the archive, and the archive does not have.

    `manifests`: all, and not older than the mark, which says that everything up to `marked` is
    archived, with this chain hash.
    """
    end = manifests[-1].last if manifests else START
    if end < marked:
        yield Finding(str(end), "end", str(marked), str(end))
    for each in manifests:
        if each.last == marked and each.chain != chain:
            yield Finding(str(each.before), "chain", chain, each.chain)


def check_segment(
    manifest: Manifest, entries: Sequence[JournalEntry], erased: Mapping[str, bytes]
) -> Iterator[Finding]:
    """Yield what differs between the entries of a segment and its manifest.

    `erased`: the hashes of the originals of the erased entries, by position.
    """
    where = str(manifest.before)
    if len(entries) != manifest.count or not entries:
        yield Finding(where, "count", manifest.count, len(entries))
        return
    ends = tuple(entries[n].position for n in (0, -1))
    if ends != (str(manifest.first), str(manifest.last)):
        yield Finding(where, "position", [str(manifest.first), str(manifest.last)], list(ends))
    yield from _check_order(manifest.before, entries)
    if set(erased) != {str(each) for each in manifest.erased}:
        yield Finding(where, "erased", [*map(str, manifest.erased)], sorted(erased))
    hashes = (erased.get(each.position) or entry_hash(each) for each in entries)
    chain = chain_of(bytes.fromhex(manifest.chain_before), hashes).hex()
    if chain != manifest.chain:
        yield Finding(where, "chain", manifest.chain, chain)


def _check_order(before: Position, entries: Sequence[JournalEntry]) -> Iterator[Finding]:
    """Each entry is above the one before, and names it as its previous.

    It may name an earlier one: then Redis had lost the entries in between, the archive had not.
    """
    for entry in entries:
        position, previous = parse_position(entry.position), parse_position(entry.previous)
        if position <= before or previous > before:
            yield Finding(entry.position, "order", str(before), entry.previous)
        before = position
