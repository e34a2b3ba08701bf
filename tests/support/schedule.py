"""The order of the tests, which of them run on the same worker, and which run at night only.

* Files with long tests come first, so that no worker is alone with a long test at the end. A long
  test has a long time limit, so the limit tells which tests are long.
* `--dist loadgroup` of pytest-xdist gives tests of one group to the same worker. Tests that share a
  fixture of a package are one group, so that the fixture is made once. The tests of a file are one
  group too, unless they are long: long tests are spread over the workers, if they share no fixture.
* pytest-xdist writes the group at the end of a test's id. A run stops when it did not:
  pytest-xdist 3.8 ignores groups with pytest 9.2, and says nothing.
* A test or a case with the mark `nightly` runs in `make nightly` only. It is the long form of
  another test or case, which runs in `make test`.

See docs/decisions/0063-tests-in-tiers.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.measured import MEASURED, SLOWER
from tests.support.tier import IN_CI, LONGER, NIGHTLY


class Schedule:
    """A plugin of pytest: selects, orders and groups the tests."""

    @pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Select, order and group the tests."""
        if not NIGHTLY:
            _deselect(config, items)
        factor = LONGER if NIGHTLY else SLOWER if MEASURED or IN_CI else 1
        usual = float(config.getini("timeout"))
        limits = {item: _limit(item, usual) for item in items}
        longest: dict[Path, float] = {}
        for item, limit in limits.items():
            longest[item.path] = max(limit, longest.get(item.path, 0))
            if factor > 1:
                item.add_marker(pytest.mark.timeout(limit * factor), append=False)
        items.sort(key=lambda item: -longest[item.path])
        for item in items:
            if group := _group(item, is_long=longest[item.path] > usual):
                item.add_marker(pytest.mark.xdist_group(group))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Stop when pytest-xdist has not seen the groups."""
        if getattr(session.config.option, "loadgroup", False):
            for item in session.items:
                mark = item.get_closest_marker("xdist_group")
                if mark and not item.nodeid.endswith(f"@{mark.args[0]}"):
                    # pytest-xdist does not show the message of a UsageError in a worker.
                    raise RuntimeError(
                        f"{item.nodeid} is not in its group {mark.args[0]}:"
                        " pytest-xdist does not work with this pytest; install requirements/dev.txt"
                    )


def _deselect(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if item.get_closest_marker("nightly")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("nightly")]


def _limit(item: pytest.Item, usual: float) -> float:
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0]) if mark else usual


def _group(item: pytest.Item, is_long: bool) -> str:
    """The group of a test; empty when any worker may take it."""
    scopes = _scopes(item)
    if "package" in scopes:
        return item.path.parent.name
    return "" if is_long and not scopes & {"module", "class"} else item.path.stem


def _scopes(item: Any) -> set[str]:
    """The scopes of all fixtures that a test uses."""
    definitions = getattr(item, "_fixtureinfo", None)
    if definitions is None:
        return set()
    return {
        definition.scope
        for name, found in definitions.name2fixturedefs.items()
        if not name.endswith("_scoped_runner")  # pytest-asyncio's event loops
        for definition in found
    }
