"""`make run` with AUTH_MODE=required: it shows how to get a token, and its commands work."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.installation import free_ports
from tests.support.waiting import until
from tests.system.test_make_run import ROOT, make_run

pytestmark = [pytest.mark.io, pytest.mark.timeout(240)]


async def test_a_run_that_needs_a_login_shows_how_to_get_a_token(tmp_path: Path) -> None:
    log = tmp_path / "run.txt"
    secret = {"JWT_SECRET": "s" * 32}
    more = {"PORT_BASE": str(free_ports().base), "AUTH_MODE": "required", **secret}
    run = make_run(tmp_path, log, **more)
    try:
        await until(lambda: "so no events are shown" in log.read_text(), seconds=90)
        token, streams = (
            re.search(pattern, log.read_text(), re.S | re.M)
            for pattern in (r"^  a token +(export TOKEN=.*?\))$", r"^  the streams +(curl .*?)$")
        )
        assert token
        assert streams
        answer = await asyncio.to_thread(pasted, f"{token[1]}\n{streams[1]} -sS --fail", secret)
        assert "items" in json.loads(answer)
    finally:
        run.terminate()
        run.wait()
    assert "Events as they arrive" not in log.read_text()


def pasted(commands: str, variables: dict[str, str]) -> str:
    """What commands print in a terminal that has only these variables."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        ["bash", "-ec", commands], env=env, capture_output=True, text=True, timeout=90, check=True
    )
    return done.stdout
