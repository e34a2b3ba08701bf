"""The archive of a world: a folder, or a bucket of an S3 server behind two proxies.

It is read here without the code under test, by pyarrow alone.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import obstore
import pyarrow.parquet as pq
from obstore.store import from_url

from shared.journal.wire import JournalEntry
from tests.support.s3_server import BUCKET, environment, s3_server
from tests.support.tcp_proxy import TcpProxy

ARCHIVERS = ("archiver-1", "archiver-2")
_COMMON = {
    "ARCHIVE_SECONDS": "0.4",
    "ARCHIVE_LEASE_SECONDS": "1.5",
    "JOURNAL_MAX_LENGTH": "20",
    "RING_EVENTS": "10",
}
"""So short a journal, and so few recent events, that resumes read the archive."""


class ChaosArchive:
    """Where the services archive. `proxies` are the ways to the store, by both ends."""

    def __init__(self, url: str, endpoint: str = "", read_only: Event | None = None) -> None:
        self.url = url
        self._read_only = read_only
        self.folder = Path(url.removeprefix("file://")) if not endpoint else None
        self._endpoint = endpoint
        port = int(endpoint.rpartition(":")[2]) if endpoint else 0
        ways = ("archivers", "readers") if endpoint else ()
        self.proxies = {(way, "store"): TcpProxy(port) for way in ways}

    def environment(self, name: str) -> dict[str, str]:
        """The settings of a service."""
        found = {**_COMMON, "ARCHIVE_URL": self.url}
        if self._endpoint:
            way = "archivers" if name in ARCHIVERS else "readers"
            port = self.proxies[way, "store"].port
            found |= environment(f"http://127.0.0.1:{port}") | {"AWS_ALLOW_HTTP": "true"}
        return found

    def set_read_only(self, on: bool) -> None:
        """Let the store refuse all writes, or take them again."""
        if self._read_only:
            self._read_only.set() if on else self._read_only.clear()
        elif self.folder and self.folder.is_dir():
            for each in [self.folder, *(e for e in self.folder.rglob("*") if e.is_dir())]:
                _set_read_only(each, on)

    def entries(self) -> list[JournalEntry]:
        """All archived entries, in order, as the manifests name the files."""
        found: list[JournalEntry] = []
        for manifest in self._manifests():
            rows = pq.read_table(io.BytesIO(self._get(manifest["file"]))).to_pylist()
            found += [_entry(row) for row in rows]
        return found

    def _manifests(self) -> list[dict[str, Any]]:
        """The manifests that are not covered by the one before, in order."""
        pages = obstore.list(self._store, prefix="chaos/manifests")
        paths = sorted(each["path"] for page in pages for each in page)
        found: list[dict[str, Any]] = []
        for path in paths:
            manifest = json.loads(bytes(obstore.get(self._store, path).bytes()))
            if not found or _key(manifest["before"]) >= _key(found[-1]["last"]):
                found.append(manifest)
        return found

    def _get(self, file: str) -> bytes:
        return bytes(obstore.get(self._store, f"chaos/{file}").bytes())

    @property
    def _store(self) -> Any:
        if self._endpoint:
            options: Any = {"allow_http": True}
            return from_url(self.url, client_options=options)
        return from_url(self.url, mkdir=True)


def _key(position: str) -> tuple[int, int]:
    toid, _, n = position.partition("-")
    return int(toid), int(n)


def _entry(row: dict[str, Any]) -> JournalEntry:
    names = ("position", "previous", "type", "topics", "body")
    position, previous, kind, topics, body = (row[name] for name in names)
    return JournalEntry(position, previous, kind, tuple(topics), body)


def _set_read_only(folder: Path, on: bool) -> None:
    """Without the right to write. Root needs no right, so root's folders become immutable."""
    if os.geteuid() == 0:
        subprocess.run(["chattr", "+i" if on else "-i", str(folder)], check=True)
    else:
        folder.chmod(0o555 if on else 0o755)


@contextmanager
def chaos_archive(folder: Path, kind: str) -> Iterator[ChaosArchive]:
    """An archive of this kind: `file` or `s3`."""
    if kind == "s3":
        read_only = Event()
        with s3_server(read_only) as endpoint:
            yield ChaosArchive(f"s3://{BUCKET}", endpoint, read_only)
    else:
        assert kind == "file", f"no such kind of archive: {kind}"
        yield ChaosArchive(f"file://{folder / 'archive'}")
