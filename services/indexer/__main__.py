"""`python -m services.indexer`, and its commands for operators: deadletter, verify."""

import sys

from services.indexer.app import build_app
from services.indexer.commands import deadletter, verify
from services.indexer.settings import Settings
from shared.runtime import logs
from shared.runtime.config import load
from shared.web import server as serve

COMMANDS = {"deadletter": deadletter.main, "verify": verify.main}


def main() -> int:
    """Run until told to stop, or one command; returns the exit code."""
    if command := COMMANDS.get("".join(sys.argv[1:2])):
        return command(sys.argv[2:])
    settings = load(Settings, sys.argv[1:])
    logs.configure("indexer", settings.log_level)
    return serve.run(lambda: build_app(settings), settings.host, settings.port)


if __name__ == "__main__":
    sys.exit(main())
