"""The archiver's command line: `python -m services.archiver`, or `headrace-archiver`."""

from __future__ import annotations

import sys

from services.archiver.app import build_app
from services.archiver.commands import erase, forget, restore, verify
from services.archiver.settings import ArchiverSettings
from shared.runtime import logs
from shared.runtime.command_line import Command, Program
from shared.web import server


def serve(settings: ArchiverSettings) -> int:
    """Run the archiver until a signal stops the process; returns the exit code."""
    logs.configure("archiver", settings.log_level)
    return server.run(lambda: build_app(settings), settings.host, settings.port)


PROGRAM = Program(
    module="services.archiver",
    summary="Headrace's archiver: writes the journal to an object store, and restores it.",
    settings=ArchiverSettings,
    serve=serve,
    commands={
        "verify": Command("check the hashes, the order and the signatures", verify.main),
        "restore": Command("fill an empty Redis from the archive", restore.main),
        "erase": Command("erase the metadata of streams", erase.main),
        "forget": Command("end archiving: the journal is trimmed again", forget.main),
    },
)


def main() -> int:
    """Run the archiver, or the command that the process's arguments name; returns the exit code."""
    return PROGRAM.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
