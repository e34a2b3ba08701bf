"""The object store of an archive: a thin wrapper of obstore.

`file:///…`, `s3://…`, `gs://…` and `az://…` work alike. Credentials and endpoints come from the
environment variables that obstore reads, such as AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL. An object
is written whole or not at all.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError, PreconditionError
from obstore.store import ObjectStore, from_url

from shared.archive.errors import (
    AlreadyArchivedError,
    ArchiveUnavailableError,
    NotInArchiveError,
)
from shared.runtime.urls import redacted

_CLIENT: dict[str, Any] = {
    "connect_timeout": timedelta(seconds=5),
    "timeout": timedelta(seconds=30),
    "allow_http": True,  # only if the operator gave an endpoint with http://
}
_RETRY: dict[str, Any] = {"max_retries": 2, "retry_timeout": timedelta(seconds=30)}
"""Those who call try again themselves, and say so. So a single call must end soon."""


_METADATA_SERVER = "//169.254.169.254/"
_NO_CREDENTIALS = "no credentials are set, so this machine was asked for those of its role"
_EXIT_SECONDS = 0.1
atexit.register(time.sleep, _EXIT_SECONDS)
"""A thread of obstore may be about to take the GIL, to free what its last call had.

If the interpreter ends first, the whole process aborts (exit code 134).
"""


class StoredObject(NamedTuple):
    """An object in the store. `version` changes with each write, `modified` is in Unix seconds."""

    path: str
    size: int
    version: str
    modified: float


class ArchiveStore:
    """The objects of one namespace in the store at `url`.

    Paths are relative to the namespace. Every method raises ArchiveUnavailableError if the store
    does not answer or refuses, and NotInArchiveError if there is no such object.

    `makes_folder`: make the folder of a `file://` URL, once. Only an archiver does this, while
    nothing is archived yet. For all others, a folder that is missing is an error, because its disk
    may not be mounted.
    """

    def __init__(self, url: str, prefix: str, *, makes_folder: bool = False) -> None:
        self._folder = _folder(url)
        self.local = self._folder is not None
        self.url = url if self.local else redacted(url)
        self._prefix = prefix
        self._url = url
        self._makes_folder = makes_folder
        self._opened: ObjectStore | None = None
        with suppress(OSError, BaseError):  # each call says why, and tries again
            self._opened = self._open()

    @property
    def _store(self) -> ObjectStore:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> ObjectStore:
        make: Callable[..., ObjectStore] = from_url  # its types want to know which store it will be
        if self._folder:
            return make(self._url, mkdir=self._makes_folder)
        return make(self._url, client_options=_CLIENT, retry_config=_RETRY)

    async def _ready(self) -> ObjectStore:
        """The store. obstore takes a folder that is missing for an empty one."""
        if self._folder and (self._opened or not self._makes_folder):
            await asyncio.to_thread(_require_folder, self._folder)
        return self._store

    async def get(self, path: str) -> bytes:
        """The whole object."""
        with self._errors(path):
            result = await obstore.get_async(await self._ready(), self._full(path))
            return bytes(await result.bytes_async())

    async def get_range(self, path: str, start: int, length: int) -> bytes:
        """`length` bytes from `start` on; fewer where the object ends."""
        with self._errors(path):
            return bytes(
                await obstore.get_range_async(
                    await self._ready(), self._full(path), start=start, length=length
                )
            )

    def range_in_thread(self, path: str, start: int, length: int) -> bytes:
        """Like `get_range`, for a thread: it blocks."""
        with self._errors(path):
            return bytes(
                obstore.get_range(self._store, self._full(path), start=start, length=length)
            )

    async def put(self, path: str, data: bytes) -> None:
        """Write an object. Readers see the old one or the new one, never a part."""
        await self._put(path, data, "overwrite")

    async def create(self, path: str, data: bytes) -> None:
        """Write a new object. Raises AlreadyArchivedError if it exists: of two only one wins."""
        await self._put(path, data, "create")

    async def list(self, folder: str) -> AsyncIterator[StoredObject]:
        """The objects in a folder, in no order."""
        with self._errors(folder):
            store = await self._ready()
            pages = obstore.list(store, prefix=self._full(folder), chunk_size=1_000)
            async for page in pages:
                for each in page:
                    yield self._found(each)

    async def delete(self, path: str) -> None:
        """Delete an object. It is no error if there is none."""
        with suppress(NotInArchiveError), self._errors(path):
            await obstore.delete_async(await self._ready(), self._full(path))

    async def _put(self, path: str, data: bytes, mode: Literal["overwrite", "create"]) -> None:
        try:
            with self._errors(path):
                await obstore.put_async(await self._ready(), self._full(path), data, mode=mode)
                if self._folder:
                    await asyncio.to_thread(_flush, self._folder / self._full(path))
        except NotInArchiveError as error:
            raise ArchiveUnavailableError(f"{self.url} does not exist: create it first") from error

    def _full(self, path: str) -> str:
        return f"{self._prefix}/{path}"

    def _found(self, meta: Any) -> StoredObject:
        path = meta["path"].removeprefix(f"{self._prefix}/")
        version = meta["e_tag"] or meta["version"] or str(meta["last_modified"])
        return StoredObject(path, meta["size"], version, meta["last_modified"].timestamp())

    @contextmanager
    def _errors(self, path: str) -> Iterator[None]:
        """Turn the errors of obstore into those of the archive."""
        where = f"{path} in {self.url}"
        try:
            yield
        except (AlreadyExistsError, PreconditionError) as error:
            raise AlreadyArchivedError(f"{where} exists already") from error
        except (NotFoundError, FileNotFoundError) as error:
            raise NotInArchiveError(f"{where} is not there") from error
        except (BaseError, OSError) as error:
            raise ArchiveUnavailableError(f"{where}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    """The message without the debug output that obstore appends."""
    line = (str(error) or type(error).__name__).partition("\n")[0]
    return f"{line} ({_NO_CREDENTIALS})" if _METADATA_SERVER in line else line


def _folder(url: str) -> Path | None:
    """The folder of a store on the local disk."""
    parts = urlsplit(url)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise ArchiveUnavailableError(
            f"the folder {folder} of the archive does not exist: mount the disk, or correct "
            "ARCHIVE_URL"
        )


def _flush(path: Path) -> None:
    """Wait until the disk has a file and its name. obstore does not wait for this."""
    for each in (path, path.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
