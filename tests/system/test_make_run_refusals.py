"""`make run` refuses wrong settings and occupied ports, and prints its help: nothing starts."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from tests.support.installation import free_ports
from tests.system.test_make_run import COMMAND, environment, ports_in_use

pytestmark = [pytest.mark.io, pytest.mark.timeout(240)]


@pytest.mark.parametrize(("argument", "code"), [("--help", 0), ("start", 2)])
def test_help_explains_the_run_and_starts_nothing(tmp_path: Path, argument: str, code: int) -> None:
    ports = free_ports()
    done = subprocess.run(
        [*COMMAND, argument], cwd=tmp_path, env=environment(tmp_path, PORT_BASE=str(ports.base)),
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == code
    assert "PORT_BASE=3000" in done.stdout + done.stderr
    assert not ports_in_use(ports)
    assert not (tmp_path / ".run").exists()


def refused(folder: Path, **more: str) -> str:
    done = subprocess.run(
        COMMAND, cwd=folder, env=environment(folder, **more), capture_output=True, text=True,
        timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    return done.stderr


def test_occupied_ports_are_named_and_nothing_is_started(tmp_path: Path) -> None:
    ports = free_ports()
    with socket.create_server(("127.0.0.1", ports.api)):
        output = refused(tmp_path, PORT_BASE=str(ports.base))
    assert f"occupied port(s): {ports.api}." in output
    assert "PORT_BASE=" in output
    assert not (tmp_path / ".run").exists()


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("PORT_BASE", "x", "a number from 1024 to 65000"),
        ("NETWORK", "moon", "local (the default) or testnet"),
        ("GATEWAY", "moon", "expected one of"),
    ],
)
def test_a_wrong_setting_is_named_with_the_accepted_values(
    tmp_path: Path, name: str, value: str, right: str
) -> None:
    output = refused(tmp_path, **{"PORT_BASE": str(free_ports().base), name: value})
    assert repr(value) in output
    assert right in output
