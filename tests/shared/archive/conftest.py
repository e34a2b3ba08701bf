"""Stores for the tests of the archive."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.archive.catalog import Catalog
from shared.archive.store import ArchiveStore


@pytest.fixture
def store(tmp_path: Path) -> ArchiveStore:
    return ArchiveStore(f"file://{tmp_path}/archive", "test", makes_folder=True)


@pytest.fixture
def catalog(store: ArchiveStore) -> Catalog:
    return Catalog(store)
