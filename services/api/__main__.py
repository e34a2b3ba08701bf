"""`python -m services.api`."""

from __future__ import annotations

import sys

from services.api.app import build_app
from services.api.settings import Settings
from shared.logs import configure
from shared.serve import run
from shared.settings import load


def main() -> int:
    """Serve until told to stop; returns the exit code."""
    settings = load(Settings, sys.argv[1:])
    configure("api", settings.log_level)
    return run(lambda: build_app(settings), settings.host, settings.port)


if __name__ == "__main__":
    sys.exit(main())
