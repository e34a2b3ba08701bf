"""The archive of a test's journal."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.asyncio import Redis

from shared.journal.keys import Keys
from tests.support.archived import JournalArchive


@pytest.fixture
def archive(redis: Redis, keys: Keys, tmp_path: Path) -> JournalArchive:
    return JournalArchive(redis, keys, tmp_path / "archive")
