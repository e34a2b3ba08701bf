"""Start an indexer: `python -m services.indexer`."""

import sys

from services.indexer.app import build_app
from services.indexer.settings import Settings
from shared import logs, serve
from shared.settings import load


def main() -> int:
    """Run until told to stop."""
    settings = load(Settings, sys.argv[1:])
    logs.configure("indexer", settings.log_level)
    return serve.run(lambda: build_app(settings), settings.host, settings.port)


if __name__ == "__main__":
    sys.exit(main())
