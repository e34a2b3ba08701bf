"""Start-up: a service imports no heavy library that it does not need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.test_architecture import ROOT, SERVICES

HEAVY = {"stellar_sdk", "requests"}
"""stellar-sdk and the HTTP client that it brings: 0.4 s and 20 MB in each process."""


@pytest.mark.io
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_without_stellar_sdk(service: str) -> None:
    script = f"import sys, services.{service}.app; print(*({HEAVY} & sys.modules.keys()))"
    command = [sys.executable, "-c", script]
    loaded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert loaded.split() == []
