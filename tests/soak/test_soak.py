"""A short soak: it runs and finds a leak that a mutant causes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.run import soak

pytestmark = [pytest.mark.io, pytest.mark.nightly, pytest.mark.timeout(180)]


async def test_nothing_is_lost_and_a_leak_is_noticed(tmp_path: Path) -> None:
    result = await soak(tmp_path, seconds=20, every=0.5, low_priority=False, MUTATION="leaking")
    assert result.report.violations == []
    assert result.report.delivered > 100
    memory = {name: result.samples[name].memory for name in ("fanout-1", "fanout-2")}
    assert memory.keys() <= set(result.growing), memory
    assert result.keys["journal"] == 1
