"""The fanout as a program: `python -m services.fanout`, or `headrace-fanout`."""

from __future__ import annotations

import sys

import shared.runtime.lean_start  # noqa: F401 # before all others

# isort: split
from services.fanout.app import build_app
from services.fanout.open_files import ensure_open_files
from services.fanout.settings import FanoutSettings
from shared.runtime import logs
from shared.runtime.command_line import Program
from shared.web import server


def serve(settings: FanoutSettings) -> int:
    """Run until a signal stops the service. Returns the exit code."""
    logs.configure("fanout", settings.log_level)
    ensure_open_files(settings.max_connections)
    return server.run(lambda: build_app(settings), settings.host, settings.port)


PROGRAM = Program(
    module="services.fanout",
    summary="The event server of Headrace: sends events to browsers over Server-Sent Events.",
    settings=FanoutSettings,
    serve=serve,
    commands={},
)


def main() -> int:
    """Start the program with the arguments of the process. Returns the exit code."""
    return PROGRAM.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
