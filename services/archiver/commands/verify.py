"""`python -m services.archiver verify [--from P --to P]`: check the archive. Changes nothing.

It does not read the ledger: `python -m services.indexer verify --archive` compares the archive with
the source.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from functools import partial

import orjson
from redis.asyncio import Redis

from services.archiver.commands.runner import (
    EXIT_WRONG,
    RefusedCommandError,
    require_segments,
    run_command,
)
from services.archiver.segments import read_file, read_segment
from services.archiver.settings import ArchiverSettings
from services.archiver.verification import Finding, check_catalog, check_mark, check_segment
from shared.archive.catalog import Catalog
from shared.archive.errors import DamagedArchiveError, NotInArchiveError
from shared.archive.manifest import Manifest
from shared.archive.mark import ArchiveMark, read_mark
from shared.archive.store import ArchiveStore
from shared.domain.position import END, START, Position, parse_position, toid
from shared.domain.strkeys import is_public_key
from shared.journal.keys import Keys
from shared.redis.client import RedisError
from shared.runtime.command_line import invoked_as


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    return run_command(partial(run, arguments(argv)))


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments. If they are wrong, prints a line to stderr and exits with code 2."""
    parser = argparse.ArgumentParser(
        prog=f"{invoked_as('services.archiver')} verify",
        description="Check the archive: the hashes of its files, the order and the hash chain of "
        "its events, and the signatures of its manifests. Prints each finding as a line of JSON. "
        "If Redis answers, compares the archive's end with it. Changes nothing. Exit codes: 0 all "
        "right; 1 findings; 2 the command failed. docs/operations/archive.md explains the "
        "findings. To compare with the ledger, use `verify --archive` of the indexer.",
    )
    where = "position <toid>-<n> or ledger number"
    parser.add_argument("--from", type=_first, default=START, dest="first", help=where)
    parser.add_argument("--to", type=_last, default=END, dest="last", help=where)
    parser.add_argument(
        "--key",
        type=_key,
        help="public key (G…) of the signatures; default: that of ARCHIVE_SIGNING_SEED",
    )
    return parser.parse_args(argv)


def _first(text: str) -> Position:
    return Position(toid(int(text)), 0) if text.isdecimal() else _position(text)


def _last(text: str) -> Position:
    return Position(toid(int(text) + 1) - 1, END.n) if text.isdecimal() else _position(text)


def _position(text: str) -> Position:
    try:
        return parse_position(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a position <toid>-<n> nor a ledger number"
        ) from None


def _key(text: str) -> str:
    if not is_public_key(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a public key (G…)")
    return text


async def run(args: argparse.Namespace, settings: ArchiverSettings, redis: Redis) -> int:
    """Check the segments and print the findings; returns the exit code."""
    findings: list[Finding] = []
    catalog = Catalog(
        ArchiveStore(settings.archive_url, settings.keys.namespace),
        on_damaged=lambda path, error: findings.append(
            Finding(path, "manifest", "a manifest", str(error))
        ),
    )
    mark = await _mark(redis, settings.keys)  # before the catalog, which only grows
    await catalog.refresh()
    if not findings:
        require_segments(catalog, settings)
    chosen = _chosen(catalog, args)
    whole = len(chosen) == len(catalog.manifests) and not settings.archive_keep_days
    findings += check_catalog(chosen, whole=whole)
    findings += check_mark(catalog.manifests, mark.position, mark.chain) if mark else ()
    for each in findings:
        _print(each)
    count = len(findings)
    for manifest in chosen:
        async for finding in _check(catalog.store, manifest, args.key or settings.public_key):
            _print(finding)
            count += 1
    print(_summary(chosen, count), file=sys.stderr)
    return EXIT_WRONG if count else 0


async def _mark(redis: Redis, keys: Keys) -> ArchiveMark | None:
    """What Redis says of the archive. An auditor may have the archive alone."""
    try:
        return await read_mark(redis, keys)
    except (RedisError, OSError) as error:
        print(f"not compared with Redis, which does not answer: {error}", file=sys.stderr)
        return None


def _chosen(catalog: Catalog, args: argparse.Namespace) -> Sequence[Manifest]:
    """The segments in the range. Raises RefusedCommandError if there are others only."""
    every = catalog.manifests
    chosen = [each for each in every if each.last >= args.first and each.first <= args.last]
    if every and not chosen:
        raise RefusedCommandError(
            "there are no segments in this range: the archive has the events after "
            f"{every[0].before} up to {every[-1].last}"
        )
    return chosen


async def _check(
    store: ArchiveStore, manifest: Manifest, key: str | None
) -> AsyncIterator[Finding]:
    if key:
        try:
            manifest.check_signature(key)
        except DamagedArchiveError as error:
            yield Finding(str(manifest.before), "signature", key, str(error))
    try:
        entries, erased = await read_segment(store, manifest)
    except NotInArchiveError:
        yield Finding(manifest.file, "missing", manifest.sha256, None)
    except DamagedArchiveError as error:
        yield Finding(manifest.file, "file", manifest.sha256, str(error))
    else:
        for each in check_segment(manifest, entries, erased):
            yield each
    async for each in _check_index(store, manifest):
        yield each


async def _check_index(store: ArchiveStore, manifest: Manifest) -> AsyncIterator[Finding]:
    try:
        await read_file(store, manifest.index, manifest.index_sha256)
    except NotInArchiveError:
        yield Finding(manifest.index, "missing", manifest.index_sha256, None)
    except DamagedArchiveError as error:
        yield Finding(manifest.index, "index", manifest.index_sha256, str(error))


def _print(finding: Finding) -> None:
    print(orjson.dumps(asdict(finding)).decode())


def _summary(chosen: Sequence[Manifest], count: int) -> str:
    if not chosen:
        return f"no segment was checked: {count} findings"
    events = sum(each.count for each in chosen)
    erased = sum(len(each.erased) for each in chosen)
    verdict = f"{count} findings" if count else "all right"
    return (
        f"{events} events in {len(chosen)} segments, after {chosen[0].before} up to "
        f"{chosen[-1].last}: {verdict}; {erased} erased; chain hash {chosen[-1].chain}"
    )
