"""Finds programs that are not Python packages. Without them a test is skipped, or fails in CI."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

_PLACES = (str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin")


def needed(program: str) -> str:
    """The path of a program: beside this Python, on PATH or in /usr/sbin."""
    if path := shutil.which(program, path=os.pathsep.join(_PLACES)):
        return path
    message = f"{program} is missing: .ci/run tells which package has it"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def loopback() -> str:
    """The first three numbers of a loopback network for this process only, such as `127.81.7`.

    With it services can use the same ports as in production. Linux answers on all of 127/8.
    """
    return f"127.{64 + os.getpid() // 250 % 128}.{1 + os.getpid() % 250}"
