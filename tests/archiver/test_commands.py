"""The commands `verify`, `erase` and `forget`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis
from stellar_sdk import Keypair

from services.archiver.__main__ import PROGRAM
from services.archiver.commands import erase, forget, restore, verify
from services.archiver.commands.runner import RefusedCommandError
from services.archiver.settings import ArchiverSettings
from shared.archive.catalog import Catalog, manifest_path
from shared.archive.manifest import Manifest
from shared.archive.mark import read_mark, write_mark
from shared.journal.keys import Keys
from shared.journal.reader import Journal
from shared.journal.streams import StoredStreams
from shared.redis.client import connect
from tests.archiver.archives import (
    SEED,
    ChainCommits,
    archive,
    archived,
    catalog_of,
    create_stream,
    empty,
    pause_stream,
    settings_of,
    store_in,
    three_segments,
)

KEY = Keypair.from_secret(SEED).public_key


@pytest.fixture
def settings(redis_url: str, keys: Keys, tmp_path: Path) -> ArchiverSettings:
    return settings_of(redis_url, keys, tmp_path, archive_signing_seed=SEED)


async def verified(
    settings: ArchiverSettings, redis: Redis, capsys: pytest.CaptureFixture[str], *arguments: str
) -> list[dict[str, Any]]:
    """What verify finds."""
    capsys.readouterr()
    code = await verify.run(verify.arguments(arguments), settings, redis)
    out, _ = capsys.readouterr()
    findings = [orjson.loads(line) for line in out.splitlines()]
    assert code == bool(findings)
    return findings


def kinds(findings: Sequence[dict[str, Any]]) -> list[str]:
    return [each["what"] for each in findings]


async def change(catalog: Catalog, manifest: Manifest, **changed: Any) -> None:
    """Write a manifest with other values, without a new signature."""
    changed_manifest = replace(manifest, **changed)
    await catalog.store.put(manifest_path(manifest.before), changed_manifest.encode())


async def test_a_whole_archive_has_no_finding(
    redis: Redis,
    keys: Keys,
    settings: ArchiverSettings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await three_segments(ChainCommits(redis, keys), tmp_path, ledgers=2, seed=SEED)
    assert await verified(settings, redis, capsys) == []
    assert await verified(settings, redis, capsys, "--key", KEY) == []
    assert await verify.run(verify.arguments([]), settings, redis) == 0
    assert "11 events in 3 segments" in capsys.readouterr().err


async def test_what_is_changed_is_found(
    redis: Redis,
    keys: Keys,
    settings: ArchiverSettings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    catalog = await three_segments(ChainCommits(redis, keys), tmp_path, ledgers=2, seed=SEED)
    one, two, three = catalog.manifests
    await change(catalog, two, chain="00" * 32)
    found = await verified(settings, redis, capsys)
    assert kinds(found) == ["chain", "signature", "chain"]
    await change(catalog, two, count=7)
    assert kinds(await verified(settings, redis, capsys)) == ["signature", "count"]
    await catalog.store.put(manifest_path(two.before), two.encode())
    other = Keypair.random().public_key
    assert kinds(await verified(settings, redis, capsys, "--key", other)) == ["signature"] * 3
    await catalog.store.put(two.file, await catalog.store.get(one.file))
    assert kinds(await verified(settings, redis, capsys)) == ["file"]
    await catalog.store.delete(two.file)
    await catalog.store.put(two.index, b"")
    assert kinds(await verified(settings, redis, capsys)) == ["missing", "index"]
    assert await verified(settings, redis, capsys, "--from", "5") == []
    assert await verified(settings, redis, capsys, "--to", str(one.last)) == []
    assert kinds(await verified(settings, redis, capsys, "--to", "3")) == ["missing", "index"]
    await catalog.store.put(manifest_path(two.before), two.encode()[:-9])
    found = await verified(settings, redis, capsys)
    assert kinds(found) == ["manifest", "chain", "gap"]
    assert found[0]["where"] == manifest_path(two.before)
    await catalog.store.delete(manifest_path(two.before))
    assert kinds(await verified(settings, redis, capsys)) == ["chain", "gap"]
    await catalog.store.delete(manifest_path(one.before))
    assert kinds(await verified(settings, redis, capsys)) == ["start"]
    await catalog.store.delete(manifest_path(three.before))
    with pytest.raises(RefusedCommandError, match="is empty: mount the disk, or correct ARCHIVE_"):
        await verified(settings, redis, capsys)


async def test_redis_remembers_the_end_of_the_archive(
    redis: Redis,
    keys: Keys,
    settings: ArchiverSettings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    catalog = await three_segments(ChainCommits(redis, keys), tmp_path, ledgers=2, seed=SEED)
    one, two, three = catalog.manifests
    mark = await read_mark(redis, keys)
    assert mark
    await write_mark(redis, keys, mark._replace(chain="00" * 32))
    (found,) = await verified(settings, redis, capsys)
    assert (found["what"], found["where"]) == ("chain", str(three.before))
    await catalog.store.delete(manifest_path(three.before))
    (found,) = await verified(settings, redis, capsys)
    assert (found["what"], found["where"]) == ("end", str(two.last))
    async with connect("unix:///nowhere", slot_key=keys.slot_key) as unreachable:
        assert await verify.run(verify.arguments([]), settings, unreachable) == 0
    assert "not compared with Redis" in capsys.readouterr().err
    with pytest.raises(RefusedCommandError, match=f"after {one.before} up to {two.last}"):
        await verified(settings, redis, capsys, "--from", "99999")


def test_a_place_is_a_ledger_or_a_position(capsys: pytest.CaptureFixture[str]) -> None:
    args = verify.arguments(["--from", "2", "--to", "2"])
    assert (args.first.ledger, args.last.ledger) == (2, 2)
    assert str(verify.arguments(["--from", "8589938688-1"]).first) == "8589938688-1"
    for wrong in (["--from", "somewhere"], ["--key", "GABC"]):
        with pytest.raises(SystemExit):
            verify.arguments(wrong)
        assert f"{wrong[1]!r} is n" in capsys.readouterr().err


async def test_metadata_is_erased_and_the_chain_stays_whole(
    redis: Redis,
    keys: Keys,
    settings: ArchiverSettings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await create_stream(redis, keys, "1", note="Ada")
    await create_stream(redis, keys, "2", note="Bob")
    first = await archive(redis, keys, tmp_path, seed=SEED)
    await pause_stream(redis, keys, "1")
    journal = await Journal(redis, keys).latest(10)
    assert await erase.run(frozenset({"api-1"}), settings, redis) == 0
    assert "2 archived events" in capsys.readouterr().out
    files = [each async for each in first.store.list("")]
    entries = await archived(store_in(tmp_path, keys))
    text = b"".join(entry.body for entry in entries)
    assert (text.count(b"Ada"), text.count(b"Bob")) == (0, 2)
    assert len(files) == 3 * len((await catalog_of(first.store)).manifests), "no old file is left"
    assert [each.position for each in entries[:3]] == [each.position for each in journal]
    assert await verified(settings, redis, capsys) == []
    assert (await catalog_of(first.store)).manifests[0].chain == first.chain.hex()
    stream = (await StoredStreams(redis, keys).load(["api-1"]))["api-1"]
    assert stream
    assert (stream.metadata, stream.version) == ({}, 3)
    assert await erase.run(frozenset({"api-1"}), settings, redis) == 0, "again: nothing to do"
    assert "0 archived events" in capsys.readouterr().out
    assert await erase.run(frozenset({"api-1", "typo"}), settings, redis) == 1
    assert capsys.readouterr().err.endswith("Neither Redis nor the archive has a stream 'typo'.\n")
    await empty(redis, keys)
    await restore.run(settings, redis)
    assert (await StoredStreams(redis, keys).load(["api-1"]))["api-1"] == stream


async def test_after_forget_there_is_no_mark(
    redis: Redis,
    keys: Keys,
    settings: ArchiverSettings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await three_segments(ChainCommits(redis, keys), tmp_path, ledgers=2, seed=SEED)
    await redis.set(keys.archiver_lease, "an archiver", px=60_000)
    for run in (forget.run(settings, redis), erase.run(frozenset({"1"}), settings, redis)):
        with pytest.raises(RefusedCommandError, match="an archiver is active"):
            await run
    await redis.delete(keys.archiver_lease)
    assert await read_mark(redis, keys)
    assert await forget.run(settings, redis) == 0
    assert await read_mark(redis, keys) is None
    assert await forget.run(settings, redis) == 0
    assert "There was no mark" in capsys.readouterr().out


@pytest.mark.parametrize("command", list(PROGRAM.commands))
def test_each_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        PROGRAM.main([command, "--help"])
    assert ended.value.code == 0
    assert f"services.archiver {command}" in capsys.readouterr().out
