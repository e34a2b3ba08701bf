"""Coverage: which tests it counts, and the time that it costs them.

`make coverage` counts branches in this process and in the services that the tests start. Tests of
whole systems start ten processes each, and coverage would make them slow without adding a line that
the tests of the parts do not run. Their processes are not counted.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

VARIABLE = "COVERAGE_PROCESS_CONFIG"
"""coverage.py sets it. A Python process that starts with it counts itself."""

MEASURED = VARIABLE in os.environ
"""Whether this is `make coverage`."""

SLOWER = 3
"""The factor for time limits then."""

_NOT_COUNTED = frozenset({"chaos", "clients", "console", "deploy", "soak", "system"})
"""Folders of tests/ with tests of whole systems."""

_UNDER_LOAD = frozenset({"test_rolling"})
"""Files with tests that need the full speed of a service."""


class Measured:
    """A plugin of pytest: starts the processes of large tests without coverage."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Take the variable away while such a test runs."""
        kept = None
        if item.path.parent.name in _NOT_COUNTED or item.path.stem in _UNDER_LOAD:
            kept = os.environ.pop(VARIABLE, None)
        try:
            return (yield)
        finally:
            if kept is not None:
                os.environ[VARIABLE] = kept
