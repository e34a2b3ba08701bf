"""`python -m services.api`, and `python -m services.api token` for the first admin."""

from __future__ import annotations

import sys

from services.api.commands import token
from services.api.settings import ApiSettings
from shared.runtime.config import load
from shared.runtime.logs import configure
from shared.web.server import run


def main() -> int:
    """Serve until told to stop; returns the exit code."""
    if sys.argv[1:2] == ["token"]:
        return token.main(sys.argv[2:])
    from services.api.app import build_app  # noqa: PLC0415 - takes a second; `token` needs it not

    settings = load(ApiSettings, sys.argv[1:])
    configure("api", settings.log_level)
    return run(lambda: build_app(settings), settings.host, settings.port)


if __name__ == "__main__":
    sys.exit(main())
