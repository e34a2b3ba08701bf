"""The indexer's command line: `python -m services.indexer`, or `headrace-indexer`."""

from __future__ import annotations

import sys

from services.indexer.app import build_app
from services.indexer.commands import deadletter, verify
from services.indexer.settings import IndexerSettings
from shared.runtime import logs
from shared.runtime.command_line import Command, Program
from shared.web import server


def serve(settings: IndexerSettings) -> int:
    """Run the indexer until a signal stops the process; returns the exit code."""
    logs.configure("indexer", settings.log_level)
    return server.run(lambda: build_app(settings), settings.host, settings.port)


PROGRAM = Program(
    module="services.indexer",
    summary="Headrace's indexer: writes the events of a Stellar network to the journal.",
    settings=IndexerSettings,
    serve=serve,
    commands={
        "deadletter": Command(
            "list, retry or drop events that could not be decoded", deadletter.main
        ),
        "verify": Command("compare the journal's events with the source", verify.main),
    },
)


def main() -> int:
    """Run the indexer, or the command that the process's arguments name; returns the exit code."""
    return PROGRAM.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
