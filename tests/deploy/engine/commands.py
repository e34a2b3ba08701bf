"""Runs the programs that build and start containers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

import pytest

from tests.support.programs import needed


def run(
    *command: str,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    seconds: float = 300,
    errors: bool = False,
) -> bytes:
    """The output of a command, with `errors` also its errors.

    Fails with the end of its errors if it does not end with 0.
    """
    environment = {**os.environ, **(env or {})}
    done = subprocess.run(
        command, env=environment, input=stdin, capture_output=True, timeout=seconds, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace")
        raise AssertionError(f"{' '.join(command)}: exit code {done.returncode}\n{said[-3000:]}")
    return done.stdout + (done.stderr if errors else b"")


def needed_as_root(program: str) -> str:
    """The path of a program that only root can use. Else the test is skipped, or fails in CI."""
    if os.getuid():
        pytest.skip(f"only root can run {program}")
    return needed(program)
