"""Names the test that leaves a connection open.

Python warns of it when the socket is collected as garbage, and that is some tests later. So the
connections are looked at when the event loop of the test is closed.
"""

from __future__ import annotations

from asyncio import selector_events
from collections.abc import Generator
from typing import Any

import pytest


class Leaks:
    """A plugin of pytest: a test fails if its event loop is closed with open connections."""

    def __init__(self) -> None:
        self._left: list[str] = []
        kind: Any = selector_events.BaseSelectorEventLoop
        close = kind.close

        def close_and_note(loop: Any) -> None:
            self._left += open_connections(loop)
            close(loop)

        kind.close = close_and_note

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        """Look after the fixtures, of which the event loop is the last one."""
        self._left = []
        result = yield
        if self._left:
            pytest.fail(f"connections are still open: {', '.join(self._left)}")
        return result


def open_connections(loop: Any) -> list[str]:
    """The ends and the protocol of each connection that is not closed."""
    transports = [each for each in loop._transports.values() if each._sock is not None]
    return [
        f"{each.get_extra_info('sockname')} to {each.get_extra_info('peername')}, "
        f"{type(each.get_protocol()).__name__}"
        for each in transports
    ]
