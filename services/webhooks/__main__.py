"""The dispatcher's command line: `python -m services.webhooks`, or `headrace-webhooks`."""

from __future__ import annotations

import sys

import shared.runtime.lean_start  # noqa: F401 # before all others

# isort: split
from services.webhooks.app import build_app
from services.webhooks.settings import DispatcherSettings
from shared.runtime import logs
from shared.runtime.command_line import Program
from shared.web import server


def serve(settings: DispatcherSettings) -> int:
    """Run the dispatcher until a signal stops the process; returns the exit code."""
    logs.configure("webhooks", settings.log_level)
    return server.run(lambda: build_app(settings), settings.host, settings.port)


PROGRAM = Program(
    module="services.webhooks",
    summary="Headrace's webhooks: delivers the events of the journal to webhook endpoints.",
    settings=DispatcherSettings,
    serve=serve,
    commands={},
)


def main() -> int:
    """Run the dispatcher; returns the exit code."""
    return PROGRAM.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
