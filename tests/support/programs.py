"""Programs that are no Python packages: found, or the test is skipped; in CI it fails instead."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

_PLACES = (str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin")


def needed(program: str) -> str:
    """Its path: beside this Python, on PATH or in /usr/sbin."""
    if path := shutil.which(program, path=os.pathsep.join(_PLACES)):
        return path
    word = f"{program} is missing: .ci/run tells which package has it"
    if os.environ.get("CI") == "true":
        pytest.fail(word)
    pytest.skip(word)


def loopback() -> str:
    """The first three parts of a network on loopback, such as `127.81.7`, for this process alone.

    So parts can keep the ports that they have in production. Linux answers on all of 127/8.
    """
    return f"127.{64 + os.getpid() // 250 % 128}.{1 + os.getpid() % 250}"
