"""Start-up: a service imports no heavy library that it does not need."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.test_architecture import ROOT, SERVICES

HEAVY = {"stellar_sdk", "requests"}
"""stellar-sdk and the HTTP client that it brings: 0.4 s and 20 MB in each process."""
UNUSED = {"rich", "opentelemetry", "jwt", "cryptography.hazmat"}
"""What a fanout without a terminal, without traces and without a login does not use."""

ARCHIVE = {"pyarrow", "obstore"}
"""What only the archive needs: 80 MB in each process."""


def _loaded(module: str, libraries: set[str], **environment: str) -> list[str]:
    """Which of these libraries a new process loads when it imports the module."""
    script = f"import sys, {module}; print(*(n for n in {sorted(libraries)} if sys.modules.get(n)))"
    env = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, env=env | environment
    )
    return done.stdout.split()


@pytest.mark.io
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_without_stellar_sdk(service: str) -> None:
    assert _loaded(f"services.{service}.app", HEAVY) == []


@pytest.mark.io
@pytest.mark.parametrize("service", ["api", "fanout", "indexer", "webhooks"])
def test_a_service_without_an_archive_starts_without_its_libraries(service: str) -> None:
    assert _loaded(f"services.{service}.app", ARCHIVE) == []


@pytest.mark.io
def test_a_fanout_starts_without_libraries_for_terminals_traces_and_tokens() -> None:
    assert _loaded("services.fanout.__main__", UNUSED) == []


@pytest.mark.io
def test_a_fanout_with_traces_can_import_opentelemetry() -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    assert "opentelemetry" in _loaded("services.fanout.__main__", UNUSED, **environment)
