"""Start a fanout: `python -m services.fanout`."""

import sys

from services.fanout.app import build_app
from services.fanout.settings import Settings
from shared.runtime import logs
from shared.runtime.config import load
from shared.web import server as serve


def main() -> int:
    """Run until told to stop."""
    settings = load(Settings, sys.argv[1:])
    logs.configure("fanout", settings.log_level)
    return serve.run(lambda: build_app(settings), settings.host, settings.port)


if __name__ == "__main__":
    sys.exit(main())
