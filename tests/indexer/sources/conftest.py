"""A network of 20 ledgers, and the versions that its servers have reported.

Other tests in this folder have a network of their own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.indexer.sources.upstream import UpstreamVersions
from tests.indexer.simulated import Sim, simulated


@pytest.fixture
async def sim() -> AsyncIterator[Sim]:
    async with simulated(ledgers=20) as made:
        yield made


@pytest.fixture
def upstream() -> UpstreamVersions:
    return UpstreamVersions()
