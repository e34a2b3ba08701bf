"""Fixtures of all tests: a real Redis a session, a namespace of its own a test."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import HealthCheck, settings
from redis.asyncio import Redis

from shared.journal.keys import Keys
from shared.redis.client import connect
from tests.support.check_tier import CheckTier
from tests.support.hanging import Hanging
from tests.support.leaks import Leaks
from tests.support.measured import Measured
from tests.support.recordings import Recording, recording
from tests.support.redis_server import PATIENT, redis_server
from tests.support.schedule import Schedule
from tests.support.tier import examples

# A machine that is busy with other things is no defect: pytest-timeout bounds each test.
settings.register_profile(
    "headrace",
    deadline=None,
    max_examples=examples(100),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("headrace")


def pytest_configure(config: pytest.Config) -> None:
    """Hold the tests to their tiers, and say why one hangs or which one leaves a connection."""
    config.pluginmanager.register(CheckTier())
    config.pluginmanager.register(Schedule())
    config.pluginmanager.register(Measured())
    config.pluginmanager.register(Hanging())
    config.pluginmanager.register(Leaks())


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
    client = connect(redis_url, timeout=PATIENT)
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
