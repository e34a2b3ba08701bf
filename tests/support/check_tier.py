"""The tier of `make check`: tests that open no socket and start no process.

A test of another tier has the mark `io`. It gets the mark from one of the fixtures below, or it
names the mark itself: `pytest.mark.io`, or `pytest.mark.io(cached=True)` when only the first of its
cases needs a process. The mark cannot be wrong: a test without it fails when it opens a socket or
starts a process. A test that names it fails when it does neither, unless it shares a fixture with
other tests: then another test may have opened the socket. Both are seen in the audit
events of Python (https://docs.python.org/3/library/audit_events.html). uvloop's sockets raise none,
so a test that runs uvloop in its own process has to use a socket of Python as well, or a fixture.
See docs/decisions/0063-tests-in-tiers.md.
"""

from __future__ import annotations

import sys
from collections.abc import Generator

import pytest

IO_FIXTURES = frozenset(
    {
        "redis_url",
        "empty_redis_url",
        "aiohttp_client",
        "aiohttp_server",
        "http",
        "sim",
    }
)
"""Fixtures that connect to something or start something. Every other one is built on these."""

_AUDITED = frozenset(
    {
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.system",
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.sendto",
        "subprocess.Popen",
    }
)
_ADVICE = "mark it with pytest.mark.io, or use no socket and no process"


class CheckTier:
    """A plugin of pytest: adds the mark `io`, and fails tests whose mark is wrong."""

    def __init__(self) -> None:
        self._watching = False
        self._allowed = True
        self._seen: list[str] = []
        sys.addaudithook(self._audit)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Mark the tests that use a fixture with a socket or a process."""
        for item in items:
            if IO_FIXTURES.intersection(getattr(item, "fixturenames", ())):
                item.add_marker(pytest.mark.io(by_fixture=True))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Watch the fixtures."""
        self._seen = []
        self._allowed = item.get_closest_marker("io") is not None
        return (yield from self._watched())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Watch the test itself."""
        result = yield from self._watched()
        unsure = any(mark.kwargs for mark in item.iter_markers("io")) or _shares_fixtures(item)
        if self._allowed and not unsure and not self._seen:
            pytest.fail("marked with io, but it opened no socket and started no process")
        return result

    def _watched(self) -> Generator[None, object, object]:
        self._watching = True
        try:
            result = yield
        finally:
            self._watching = False
        if self._seen and not self._allowed:  # the code under test may have caught the first error
            pytest.fail(f"{', '.join(sorted(set(self._seen)))}: {_ADVICE}")
        return result

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in _AUDITED and self._watching:
            self._seen.append(event)
            if not self._allowed:
                pytest.fail(f"{event} {arguments}: {_ADVICE}")  # no `except Exception` stops it


def _shares_fixtures(item: pytest.Item) -> bool:
    definitions = getattr(item, "_fixtureinfo", None)
    if definitions is None:
        return False
    return any(
        definition.scope != "function" and not name.endswith("_scoped_runner")
        for name, found in definitions.name2fixturedefs.items()
        for definition in found
    )
