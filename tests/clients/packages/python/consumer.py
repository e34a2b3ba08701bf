"""A program that counts events in a database: each effect and the cursor in one transaction.

`python consumer.py URL DATABASE` uses only the installed package. Tests kill it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys

from headrace_client import Client, Event


class Database:
    """Effects, and the position up to which they are in it."""

    def __init__(self, path: str) -> None:
        self._sqlite = sqlite3.connect(path, timeout=30, isolation_level=None)
        self._sqlite.execute("PRAGMA journal_mode=WAL")
        self._sqlite.execute("CREATE TABLE IF NOT EXISTS effects (event TEXT)")
        self._sqlite.execute("CREATE TABLE IF NOT EXISTS cursor (one INTEGER PRIMARY KEY, at TEXT)")

    async def load(self) -> str | None:
        """The position in the database."""
        found = self._sqlite.execute("SELECT at FROM cursor").fetchone()
        return found[0] if found else None

    async def save(self, position: str) -> None:
        """A position without an effect, or after one: there it changes nothing."""
        self._sqlite.execute("INSERT OR REPLACE INTO cursor VALUES (1, ?)", (position,))

    async def handle(self, event: Event) -> None:
        """The effect and the cursor together, or neither."""
        self._sqlite.execute("BEGIN IMMEDIATE")
        self._sqlite.execute("INSERT INTO effects VALUES (?)", (event.id,))
        await self.save(event.id)
        self._sqlite.execute("COMMIT")


async def main(url: str, path: str) -> None:
    database = Database(path)
    async with Client(url) as client:
        async for event in client.events(all=True, since="0-0", cursor=database):
            await database.handle(event)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
