"""Says what each asyncio task was waiting for when a test ran out of time.

The report of pytest-timeout shows only that the event loop was waiting.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Generator
from pathlib import Path
from types import AsyncGeneratorType, FrameType
from typing import Any

import pytest

_SHARE = 0.9
"""The tasks are noted after this share of the time limit. The event loop ends with the test."""


class Hanging:
    """A plugin of pytest: adds the tasks to the message of a test that ran out of time."""

    def __init__(self) -> None:
        self._tasks: list[str] = []
        self._timer = threading.Timer(0, self._note)

    def _note(self) -> None:
        self._tasks = waiting_tasks()

    @pytest.hookimpl(tryfirst=True)
    def pytest_timeout_set_timer(self, settings: Any) -> None:
        """pytest-timeout starts its own timer now. None: its own is started too."""
        self._tasks = []
        self._timer = threading.Timer(settings.timeout * _SHARE, self._note)
        self._timer.daemon = True
        self._timer.start()

    @pytest.hookimpl(tryfirst=True)
    def pytest_timeout_cancel_timer(self) -> None:
        """The test is over. None: pytest-timeout cancels its own timer too."""
        self._timer.cancel()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """The message is also in the short summary, at the end of a log."""
        report = yield
        crash = getattr(report.longrepr, "reprcrash", None)
        if crash is not None and "from pytest-timeout" in crash.message:
            crash.message += f" Tasks: {', '.join(self._tasks)}"
        return report


def waiting_tasks() -> list[str]:
    """Each task that has not ended: its name, and the line at which it waits."""
    tasks = [each for each in gc.get_objects() if isinstance(each, asyncio.Task)]
    return [f"{task.get_name()} at {_place(task.get_coro())}" for task in tasks if not task.done()]


def _place(waiting: Any) -> str:
    """The innermost line that is waiting: a coroutine awaits another one, and so on."""
    place = "its start"
    while waiting is not None:
        frame = _attribute(waiting, "frame")
        if isinstance(frame, FrameType):
            place = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
        waiting = _attribute(waiting, "await") or _generator(waiting)
    return place


def _attribute(waiting: Any, name: str) -> Any:
    """The attribute of a coroutine (`cr_`) or of an asynchronous generator (`ag_`)."""
    return getattr(waiting, f"cr_{name}", None) or getattr(waiting, f"ag_{name}", None)


def _generator(waiting: Any) -> Any:
    """The asynchronous generator whose next value is awaited. Such an object has no attributes."""
    if hasattr(waiting, "cr_frame") or hasattr(waiting, "ag_frame"):
        return None
    found = gc.get_referents(waiting)
    return next((each for each in found if isinstance(each, AsyncGeneratorType)), None)
