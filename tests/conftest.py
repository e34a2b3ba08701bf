"""Fixtures of all tests: a real Redis a session, a namespace of its own a test."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from redis.asyncio import Redis

from shared.journal.keys import Keys
from shared.redis.client import connect
from tests.support.check_tier import CheckTier
from tests.support.recordings import Recording, recording
from tests.support.redis_server import redis_server
from tests.support.tier import LONGER, NIGHTLY, examples

# A machine that is busy with other things is no defect: pytest-timeout bounds each test.
settings.register_profile(
    "headrace",
    deadline=None,
    max_examples=examples(100),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("headrace")


def pytest_configure(config: pytest.Config) -> None:
    """Hold the tests to their tiers."""
    config.pluginmanager.register(CheckTier())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The files with the longest tests first, so that no worker is left alone with one at the end.

    A long test has a long time limit, so the limit tells which ones these are.
    """
    usual = float(config.getini("timeout"))
    longest: dict[Path, float] = {}
    for item in items:
        mark = item.get_closest_marker("timeout")
        limit = float(mark.args[0]) if mark else usual
        longest[item.path] = max(limit, longest.get(item.path, 0))
        if NIGHTLY:
            item.add_marker(pytest.mark.timeout(limit * LONGER), append=False)
    items.sort(key=lambda item: -longest[item.path])


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """REDIS_URL when set; otherwise a server of our own for this session."""
    if url := os.environ.get("REDIS_URL"):
        yield url
        return
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="module")
def empty_redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of a module's own, for tests that look through all names again and again."""
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = connect(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def keys() -> Keys:
    """Names that no other test uses, so tests need no flushing and may run side by side."""
    return Keys(f"test-{uuid.uuid4().hex[:12]}")


@pytest.fixture(scope="session", params=["simulator", "stellar-core"])
def recorded(request: pytest.FixtureRequest) -> Recording:
    """Recorded transactions: the simulated network's, and stellar-core's where they are at hand."""
    return recording(request.param)
