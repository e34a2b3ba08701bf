"""Cursor stores: where a program keeps the position up to which it has handled its events."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from redis.asyncio import Redis


class CursorStore(Protocol):
    """Keeps one position.

    `save` is called after the body of the loop has handled an event, that is when it asks for the
    next one. It is also called with positions at which there was no event for this subscription.
    A store whose `save` fails ends the loop with this error.
    """

    async def load(self) -> str | None:
        """The saved position; None if there is none."""
        ...

    async def save(self, position: str) -> None:
        """Save a position in place of the one before."""
        ...


class FileCursor:
    """Keeps the position in a file. Another process never sees half of it.

    With `durable` it survives a power cut; without, only the end of the process, but `save` takes
    much less time.
    """

    def __init__(self, path: str | os.PathLike[str], *, durable: bool = True) -> None:
        self._path = Path(path)
        self._durable = durable
        self._lock = threading.Lock()  # a write goes on in its thread when its task is cancelled

    async def load(self) -> str | None:
        """The position in the file; None if there is no file."""
        try:
            text = await asyncio.to_thread(self._path.read_text, encoding="ascii")
        except FileNotFoundError:
            return None
        return text.strip() or None

    async def save(self, position: str) -> None:
        """Write a new file beside the old one, then replace the old one."""
        await asyncio.to_thread(self._write, position)

    def _write(self, position: str) -> None:
        with self._lock:
            new = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
            with new.open("w", encoding="ascii") as file:
                file.write(position + "\n")
                if self._durable:
                    file.flush()
                    os.fsync(file.fileno())
            new.replace(self._path)
            if self._durable:
                _sync_folder(self._path.parent)


class RedisCursor:
    """Keeps the position in a key of Redis. Needs `pip install headrace-client[redis]`."""

    def __init__(self, redis: Redis, key: str) -> None:
        self._redis = redis
        self._key = key

    async def load(self) -> str | None:
        """The position in the key; None if there is no key."""
        value = await self._redis.get(self._key)
        return value.decode() if isinstance(value, bytes) else value

    async def save(self, position: str) -> None:
        """SET the key."""
        await self._redis.set(self._key, position)


def _sync_folder(folder: Path) -> None:
    """Write the folder to the disk, so that the new name of a file survives a power cut."""
    if os.name == "nt":  # a folder cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
